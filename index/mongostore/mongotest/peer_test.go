package mongotest_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/index/mongostore/mongotest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// counter is a document whose w is raised by compare-and-swap.
type counter struct {
	ID string `bson:"_id"`
	W  int64  `bson:"w"`
	B  []byte `bson:"b"`
}

// collection opens a collection of a connection string's database.
func collection(t *testing.T, uri string) *mongo.Collection {
	t.Helper()
	set, err := connstring.ParseAndValidate(uri)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client.Database(set.Database).Collection("docs")
}

// raise adds one to a counter by compare-and-swap, as often as it takes.
func raise(ctx context.Context, c *mongo.Collection, id string) (tries int, err error) {
	for {
		tries++
		var d counter
		err := c.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d)
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return tries, err
		}
		next := counter{ID: id, W: d.W + 1, B: make([]byte, 100)}
		_, err = c.ReplaceOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "w", Value: d.W}}, next, options.Replace().SetUpsert(true))
		if !mongo.IsDuplicateKeyError(err) {
			return tries, err
		}
	}
}

// value reads a counter; one that is not there is 0.
func value(t *testing.T, c *mongo.Collection, id string) int64 {
	t.Helper()
	var d counter
	err := c.FindOne(t.Context(), bson.D{{Key: "_id", Value: id}}).Decode(&d)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatal(err)
	}
	return d.W
}

// raiseAll lets writers raise one counter, each as often as told, and looks whether one was lost.
func raiseAll(t *testing.T, c *mongo.Collection, writers, wins int) {
	t.Helper()
	ctx := t.Context()
	before := value(t, c, "counter")
	var all sync.WaitGroup
	tries := make([]int, writers)
	start := time.Now()
	for w := range writers {
		all.Go(func() {
			for range wins {
				n, err := raise(ctx, c, "counter")
				if err != nil {
					t.Error(err)
					return
				}
				tries[w] += n
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range tries {
		sum += n
	}
	raised := value(t, c, "counter") - before
	t.Logf("%d writers, %d wins each: raised by %d in %d tries and %v", writers, wins, raised, sum, time.Since(start).Round(time.Millisecond))
	if raised != int64(writers*wins) {
		t.Errorf("the counter was raised by %d, want %d", raised, writers*wins)
	}
}

func TestSwapsOfEightWriters(t *testing.T) {
	c := collection(t, mongotest.Database(t))
	raiseAll(t, c, 8, 200)
}

// TestSwapsThroughProxy lets writers swap while the proxy makes faults: what was acknowledged is in the counter, and beside it
// at most what nobody knows of.
func TestSwapsThroughProxy(t *testing.T) {
	t.Parallel() // it waits for the most part
	p := mongotest.NewProxy(t, mongotest.Database(t))
	c := collection(t, p.URI())
	// a closed connection makes a driver wait half a second for the server's next sign of life
	p.DropReplies("update", 2)
	p.CutRequests("update", 2)
	p.WriteConcernErrors(mongotest.CodeWriteConcernTimeout, "WriteConcernTimeout", 20)
	p.Random(1, mongotest.Rates{Delay: 0.2, MaxDelay: 2 * time.Millisecond})
	var all sync.WaitGroup
	var won, unknown atomic.Int64
	for range 8 {
		all.Go(func() {
			for range 20 {
				if _, err := raise(t.Context(), c, "counter"); err != nil {
					unknown.Add(1)
				} else {
					won.Add(1)
				}
			}
		})
	}
	all.Wait()
	p.Heal()
	got := value(t, c, "counter")
	t.Logf("%d won, %d unknown: the counter is %d; %+v", won.Load(), unknown.Load(), got, p.Counts())
	if got < won.Load() || got > won.Load()+unknown.Load() {
		t.Errorf("the counter is %d where %d won and %d are unknown", got, won.Load(), unknown.Load())
	}
	if n := p.Counts(); n.DroppedReplies != 2 || n.CutRequests != 2 || n.WriteConcernErrors != 20 || n.Delayed == 0 {
		t.Errorf("not all faults were made: %+v", n)
	}
}

// TestPeerKilled kills a peer that writes to a file while writers are at it: what was acknowledged is there afterwards.
func TestPeerKilled(t *testing.T) {
	t.Parallel() // it waits for the most part
	p := mongotest.NewPeer(t)
	c := collection(t, p.URI())
	raiseAll(t, c, 8, 10)
	ctx := t.Context()
	for round := range int64(2) {
		var acknowledged int64 // in this round
		written := make(chan struct{})
		go func() {
			defer close(written)
			for w := round*1_000_000 + 1; ; w++ {
				filter := bson.D{{Key: "_id", Value: "killed"}}
				_, err := c.ReplaceOne(ctx, filter, counter{ID: "killed", W: w, B: make([]byte, 5000)}, options.Replace().SetUpsert(true))
				if err != nil {
					return
				}
				acknowledged = w
			}
		}()
		time.Sleep(300 * time.Millisecond)
		p.Kill()
		<-written
		p.Start()
		if kept := value(t, c, "killed"); acknowledged == 0 || kept != acknowledged && kept != acknowledged+1 {
			t.Errorf("%d was acknowledged before the kill, and the document says %d", acknowledged, kept)
		}
	}
	raiseAll(t, c, 2, 1)
}
