package mongotest

import (
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Always is a count of faults that does not end before Heal.
const Always = -1

// Error codes of MongoDB that tests make.
const (
	CodePrimarySteppedDown  = 189
	CodeNotWritablePrimary  = 10107
	CodeInterruptedByChange = 11602 // InterruptedDueToReplStateChange
	CodeWriteConcernTimeout = 64    // WriteConcernTimeout, as a write concern error
	CodeShutdownInProgress  = 91    // as a write concern error
)

// Rates say how often a proxy makes which fault: each is a probability of a command, 0 to 1. What opens and watches a
// connection (hello and signing in) has only the delay.
type Rates struct {
	CutRequest        float64 // closed before the command reaches the server
	DropReply         float64 // carried out; the reply is swallowed and the connection closed
	NotPrimary        float64 // refused with 10107, 11602 or 189
	WriteConcernError float64 // of a write: carried out, and its reply says write concern error 64 or 91
	Delay             float64
	MaxDelay          time.Duration // a delay is between 0 and this
}

// Counts say what a proxy has done since it was made.
type Counts struct {
	Connections        int // accepted while not cut
	Commands           int // read, without those that open and watch a connection
	CutRequests        int
	DroppedReplies     int
	Failed             int // commands refused with an error
	WriteConcernErrors int
	Delayed            int
}

// deed is what happens to one command.
type deed int

const (
	pass deed = iota
	cutRequest
	dropReply
	fail
	concern
)

// verdict is what happens to one command, and with which error.
type verdict struct {
	deed     deed
	code     int32
	codeName string
	wait     time.Duration
	labels   bson.A // of the error, where a set adds some
}

// order is a fault for the next commands of a name.
type order struct {
	command string // "" is any but those that open and watch a connection
	left    int    // Always does not end
	verdict verdict
}

// opens are the commands that open and watch a connection.
var opens = map[string]bool{
	"": true, "hello": true, "isMaster": true, "ismaster": true, "saslStart": true, "saslContinue": true, "authenticate": true,
}

// writes are the commands whose replies can hold a write concern error.
var writes = map[string]bool{"insert": true, "update": true, "delete": true, "findAndModify": true}

// faults are what a proxy does to commands; its owner locks it.
type faults struct {
	delay  time.Duration
	orders []order
	rates  Rates
	random *rand.Rand // nil without rates
	counts Counts
}

// judge says what happens to a command, and counts it.
func (f *faults) judge(command string) verdict {
	if !opens[command] {
		f.counts.Commands++
	}
	v := f.next(command)
	v.wait += f.delay
	switch v.deed {
	case cutRequest:
		f.counts.CutRequests++
	case dropReply:
		f.counts.DroppedReplies++
	case fail:
		f.counts.Failed++
	case concern:
		f.counts.WriteConcernErrors++
	}
	if v.wait > 0 {
		f.counts.Delayed++
	}
	return v
}

// next takes the first order for a command, or throws the dice.
func (f *faults) next(command string) verdict {
	for i := range f.orders {
		o := &f.orders[i]
		if o.left == 0 || o.command != command && (o.command != "" || opens[command]) || o.verdict.deed == concern && !writes[command] {
			continue
		}
		if o.left > 0 {
			o.left--
		}
		return o.verdict
	}
	return f.throw(command)
}

// throw makes a fault by the rates.
func (f *faults) throw(command string) (v verdict) {
	if f.random == nil {
		return v
	}
	if f.random.Float64() < f.rates.Delay {
		v.wait = time.Duration(f.random.Float64() * float64(f.rates.MaxDelay))
	}
	if opens[command] {
		return v
	}
	at := f.random.Float64()
	for _, d := range []struct {
		deed deed
		rate float64
	}{{cutRequest, f.rates.CutRequest}, {dropReply, f.rates.DropReply}, {fail, f.rates.NotPrimary}, {concern, f.rates.WriteConcernError}} {
		if at -= d.rate; at >= 0 {
			continue
		}
		switch {
		case d.deed == fail:
			v.code, v.codeName = oneOf(f.random, notPrimary)
		case d.deed == concern && !writes[command]:
			return v
		case d.deed == concern:
			v.code, v.codeName = oneOf(f.random, notReplicated)
		}
		v.deed = d.deed
		return v
	}
	return v
}

// namedCode is an error code with its name.
type namedCode struct {
	code int32
	name string
}

var (
	notPrimary = []namedCode{
		{CodeNotWritablePrimary, "NotWritablePrimary"}, {CodeInterruptedByChange, "InterruptedDueToReplStateChange"},
		{CodePrimarySteppedDown, "PrimarySteppedDown"},
	}
	notReplicated = []namedCode{{CodeWriteConcernTimeout, "WriteConcernTimeout"}, {CodeShutdownInProgress, "ShutdownInProgress"}}
)

func oneOf(r *rand.Rand, codes []namedCode) (int32, string) {
	c := codes[r.IntN(len(codes))]
	return c.code, c.name
}
