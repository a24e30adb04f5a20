package index

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"heatlog/index/mongostore/mongotest"
	"heatlog/journal/journaltest"
)

// TestMongoDBRacingInserts lets two indexes make the same documents, neither of which has seen the other's: first such as hold
// the same hits, then such as hold more.
func TestMongoDBRacingInserts(t *testing.T) {
	t.Parallel() // it waits for the most part
	w := newMongoWorld(t, 5)
	w.flushEvery = time.Hour
	for range 2 {
		leave, err := w.join()
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	x, y := w.owners[0], w.owners[1]
	grow := func() {
		t.Helper()
		for range 100 {
			w.log.append(randomBatch(w.random, mongoPages))
		}
	}
	grow()
	for _, o := range w.owners {
		if err := w.start(o); err != nil {
			t.Fatal(err)
		}
		waitApplied(t, o.index)
	}
	for _, o := range w.owners {
		if err := o.index.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := y.index.Stats().Conflicts; n != 0 {
		t.Errorf("%d conflicts over documents that hold the same hits", n)
	}
	grow()
	waitApplied(t, x.index)
	waitApplied(t, y.index)
	if err := x.index.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	grow()
	waitApplied(t, y.index)
	_ = y.index.Flush(t.Context()) // it begins at the checkpoint, and may say so
	if n := y.index.Stats().Conflicts; n == 0 {
		t.Error("no conflict over documents that hold a part of the hits")
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
}

// TestMongoDBForeignDocuments lets another version write every document that there is: they are not touched, the index says why
// it waits, and goes on by itself when they are what they were.
func TestMongoDBForeignDocuments(t *testing.T) {
	t.Parallel() // it waits for the most part
	uri := mongotest.Database(t)
	store, closeStore, err := OpenMongo(uri, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	docs := client.Database(uri[strings.LastIndexByte(uri, '/')+1:]).Collection("docs")
	var foreign int64
	rename := func(from, to string) int64 {
		r, err := docs.UpdateMany(t.Context(), bson.D{{Key: from, Value: bson.D{{Key: "$exists", Value: true}}}}, bson.D{{Key: "$rename", Value: bson.D{{Key: from, Value: to}}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.ModifiedCount
	}
	sickenStore(t, illness{
		store: store, reason: "another version", waits: true, pages: 1000, batches: 25, questions: 8,
		begin: func() {
			// few may have been stored so far, and none is any more once the index has met one of them
			for stored := int64(0); stored < 300; {
				err := pause(t.Context(), 10*time.Millisecond)
				if err == nil {
					stored, err = docs.CountDocuments(t.Context(), bson.D{{Key: "w", Value: bson.D{{Key: "$exists", Value: true}}}})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			foreign = rename("w", "other")
		},
		end: func() {
			if n := rename("other", "w"); n != foreign {
				t.Errorf("another version wrote %d documents, of which %d are as they were", foreign, n)
			}
		},
	})
}

// TestMongoDBElections lets a replica set elect one primary after the other, or none for a while.
func TestMongoDBElections(t *testing.T) {
	t.Parallel() // it waits for the most part
	const members = 3
	set, seed := mongotest.NewSet(t, members), journaltest.Seed(t, 1)
	row := journaltest.Begin(t, "elections of a MongoDB", 0, seed)
	store, closeStore, err := OpenMongo(set.URI(), 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	over, done := make(chan struct{}), make(chan struct{})
	elect := func() {
		defer close(done)
		for r := rand.New(rand.NewPCG(seed, 41)); ; row.Done(1) {
			set.Elect(r.IntN(members+1) - 1) // -1 is nobody
			select {
			case <-over:
				set.Elect(r.IntN(members))
				return
			case <-time.After(time.Duration(r.IntN(500)) * time.Millisecond):
			}
		}
	}
	sickenStore(t, illness{
		store: store, pages: 1000, batches: 25, questions: 8,
		begin: func() { go elect() },
		end: func() {
			close(over)
			<-done
		},
	})
}

// TestMongoDBIll lets the connection to MongoDB, or the database, suffer for a second, or for ten minutes in the long form.
func TestMongoDBIll(t *testing.T) {
	t.Parallel() // it waits for the most part
	const always = mongotest.Always
	fail := func(code int32, name string) func(p *mongotest.Proxy) {
		return func(p *mongotest.Proxy) {
			p.FailCommand("insert", code, name, always)
			p.FailCommand("update", code, name, always)
		}
	}
	kinds := []struct {
		name         string
		short        bool // in the short form too
		begin        func(p *mongotest.Proxy)
		reads, waits bool
		reason       string
	}{
		{"cut", true, func(p *mongotest.Proxy) { p.Cut() }, false, true, ""},
		{"reply lost", true, func(p *mongotest.Proxy) { p.DropReplies("insert", always); p.DropReplies("update", always) }, false, false, ""},
		{"disk full", true, fail(14031, "OutOfDiskSpace"), true, true, "no disk space left"},
		{"over quota", false, fail(8000, "AtlasError"), true, true, "the service refuses"},
		{"write concern", true, func(p *mongotest.Proxy) {
			p.WriteConcernErrors(mongotest.CodeWriteConcernTimeout, "WriteConcernTimeout", always)
		}, true, false, ""},
		{"slow", false, func(p *mongotest.Proxy) { p.Delay(20 * time.Millisecond) }, true, true, ""},
		{"stalled", false, func(p *mongotest.Proxy) { p.Stall() }, false, true, "no answer within"},
		{"no primary", false, func(p *mongotest.Proxy) {
			p.FailCommand("", mongotest.CodeNotWritablePrimary, "NotWritablePrimary", always)
		}, false, true, ""},
	}
	row := journaltest.Begin(t, "a MongoDB that is cut off, full, over quota, slow, hanging, without primary or deaf", len(kinds), 0)
	var all sync.WaitGroup // they wait for the most part
	for _, c := range kinds {
		if !c.short && !journaltest.Torture() {
			continue
		}
		all.Go(func() {
			t.Run(c.name, func(t *testing.T) {
				p := mongotest.NewProxy(t, mongotest.Database(t))
				store, closeStore, err := OpenMongo(p.URI(), 3*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				defer closeStore()
				sickenStore(t, illness{
					store: store, begin: func() { c.begin(p) }, end: p.Heal, reads: c.reads, waits: c.waits, reason: c.reason, pages: 1000, batches: 25, questions: 8,
				})
				row.Done(1)
			})
		})
	}
	all.Wait()
}
