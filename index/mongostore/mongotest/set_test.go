package mongotest_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/index/mongostore/mongotest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// TestSetElects lets writers raise a counter one by one, not by compare-and-swap, while other members become primary, replies
// are lost and errors are made: the driver sends each write again, and none counts twice. It does that once, so no write may
// meet two faults: each comes when all have gone past the one before. It can still meet one twice: after an election, where the
// driver hears from the old primary what it was a moment ago, and where its second connection comes from a pool that is cleared
// meanwhile. Then the write's end is in doubt, as the driver says.
func TestSetElects(t *testing.T) {
	t.Parallel() // it waits for the most part
	s := mongotest.NewSet(t, 3)
	c := collection(t, s.URI())
	const writers, each = 8, 10
	var done, doubt int64
	during := func(name string, election bool, fault func()) {
		var all sync.WaitGroup
		var written, lost atomic.Int64
		for range writers {
			all.Go(func() {
				for range each {
					_, err := c.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "counter"}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "w", Value: int64(1)}}}},
						options.UpdateOne().SetUpsert(true))
					switch {
					case err == nil:
						written.Add(1)
					case election || strings.Contains(err.Error(), "connection pool for "): // of no type that the driver names
						lost.Add(1)
						t.Logf("%s: in doubt: %v", name, err)
					default:
						t.Errorf("%s: %v", name, err)
						return
					}
				}
			})
		}
		for written.Load() < writers && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		fault()
		all.Wait()
		if lost.Load() > writers {
			t.Errorf("%s: %d writes in doubt of %d", name, lost.Load(), writers*each)
		}
		done, doubt = done+written.Load(), doubt+lost.Load()
	}
	during("another primary", true, func() { s.Elect(1) })
	during("a lost reply", false, func() { s.Member(1).DropReplies("update", 1) })
	during("stepped down", false, func() {
		s.Member(1).FailCommand("update", mongotest.CodePrimarySteppedDown, "PrimarySteppedDown", 1)
	})
	during("no primary for a while", true, func() {
		s.Elect(mongotest.Nobody)
		s.Member(1).Cut()
		time.Sleep(50 * time.Millisecond)
		s.Elect(2)
	})
	during("not written by most", false, func() { s.Member(2).WriteConcernErrors(mongotest.CodeShutdownInProgress, "ShutdownInProgress", 1) })
	if got := value(t, c, "counter"); got < done || got > done+doubt {
		t.Errorf("the counter is %d, want %d and at most %d in doubt", got, done, doubt)
	}
	for i := range 3 {
		n := s.Member(i).Counts()
		t.Logf("member %d: %+v", i, n)
		if n.Commands == 0 {
			t.Errorf("member %d had no commands", i)
		}
	}
	if n := s.Member(1).Counts(); n.DroppedReplies != 1 || n.Failed != 1 || s.Member(2).Counts().WriteConcernErrors != 1 {
		t.Error("a fault was not made")
	}
	if s.Primary() != 2 {
		t.Errorf("member %d is primary", s.Primary())
	}
}

// TestSetReads reads from a secondary in a session that has seen a write, and looks what the driver sends there.
func TestSetReads(t *testing.T) {
	s := mongotest.NewSet(t, 2)
	var mu sync.Mutex
	var after []bson.Timestamp
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		mu.Lock()
		defer mu.Unlock()
		if seconds, n, ok := e.Command.Lookup("readConcern", "afterClusterTime").TimestampOK(); ok {
			after = append(after, bson.Timestamp{T: seconds, I: n})
		}
	}}
	client, err := mongo.Connect(options.Client().ApplyURI(s.URI()).SetMonitor(monitor))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	session, err := client.StartSession(options.Session().SetCausalConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	ctx := mongo.NewSessionContext(t.Context(), session)
	c := client.Database("heatlog_set").Collection("docs", options.Collection().SetReadPreference(readpref.Secondary()))
	defer c.Database().Drop(context.Background())
	if _, err := c.InsertOne(ctx, counter{ID: "a", W: 7}); err != nil {
		t.Fatal(err)
	}
	written := session.OperationTime()
	before := s.Member(1).Counts().Commands
	var d counter
	if err := c.FindOne(ctx, bson.D{{Key: "_id", Value: "a"}}).Decode(&d); err != nil || d.W != 7 {
		t.Fatalf("read %+v, %v", d, err)
	}
	if n := s.Member(1).Counts().Commands; n != before+1 {
		t.Errorf("the secondary had %d commands, want %d", n, before+1)
	}
	mu.Lock()
	defer mu.Unlock()
	if written == nil || len(after) != 1 || after[0] != *written {
		t.Errorf("read after %v, want %v", after, written)
	}
}
