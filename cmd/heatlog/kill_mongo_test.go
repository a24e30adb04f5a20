package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"heatlog/index/mongostore/mongotest"
	"heatlog/journal/journaltest"
)

// TestKillMongoDB ends a server whose counts are in MongoDB with kill -9 again and again, while four senders send batches and
// the connection to the database is cut, delayed, stalled, robbed of replies and told that nobody is primary. What must be
// true in the end is what TestKill holds. The long form takes 30 minutes.
func TestKillMongoDB(t *testing.T) {
	t.Parallel()
	seconds, seed := journaltest.Times(12, 1800), journaltest.Seed(t, 0)
	row := journaltest.Begin(t, "kill -9 and faults of the connection to MongoDB, seconds", seconds, seed)
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	c := newCampaign(t, seed, 2, "--store", proxy.URI())
	c.long = 2                    // the driver takes half a second to trust a database again
	c.rest = 5 * time.Millisecond // what is to be met is not load
	c.least = min(c.least, seconds/10)
	c.begin()
	stop, healed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(healed)
		breakConnection(proxy, rand.New(rand.NewPCG(seed, 1)), stop)
	}()
	begin, kills := time.Now(), 0
	for took := time.Duration(0); took < time.Duration(seconds)*time.Second; kills++ {
		row.Violated(c.kill(kills))
		now := time.Since(begin)
		row.Done(int(now.Seconds()) - int(took.Seconds()))
		took = now
	}
	close(stop)
	<-healed
	c.finish(row)
	n := proxy.Counts()
	row.Found("%d kills, %d of them while sealing or pruning; %d commands, %d cut off, of %d the reply was lost, %d refused, %d with a write concern error, %d delayed",
		kills, c.struck, n.Commands, n.CutRequests, n.DroppedReplies, n.Failed, n.WriteConcernErrors, n.Delayed)
	if n.CutRequests+n.DroppedReplies+n.Failed+n.WriteConcernErrors+n.Delayed == 0 {
		t.Error("the connection never had a fault: the test proves little")
	}
}

// breakConnection makes faults, one after the other and with pauses, until it is told to stop, and heals what it made.
func breakConnection(p *mongotest.Proxy, r *rand.Rand, stop <-chan struct{}) {
	p.Trouble(r, stop, 1500*time.Millisecond, time.Second, func() {
		switch r.IntN(8) {
		case 0:
			p.Cut()
		case 1:
			p.Stall()
		case 2:
			p.Delay(time.Duration(r.IntN(300)) * time.Millisecond)
		case 3:
			p.DropReplies([]string{"insert", "update"}[r.IntN(2)], 1+r.IntN(3))
		case 4:
			p.WriteConcernErrors(mongotest.CodeWriteConcernTimeout, "WriteConcernTimeout", 1+r.IntN(5))
		default:
			p.Random(r.Uint64(), mongotest.Rates{
				CutRequest: 0.05, DropReply: 0.1, NotPrimary: 0.05, WriteConcernError: 0.1, Delay: 0.2, MaxDelay: 100 * time.Millisecond,
			})
		}
	})
}
