package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"heatlog/index/mongostore/mongotest"
	"heatlog/journal/journaltest"
)

// TestFailover lets the members of a replica set become primary in turn while hits come, the one before being cut or slow, and
// lets nobody be primary for a while. Maps are read from secondaries. After each election every hit is counted once.
func TestFailover(t *testing.T) {
	t.Parallel()
	set := mongotest.NewSet(t, 3)
	r := newRestoring(t, "--store", set.URI(), "--mongo-read-preference", "secondaryPreferred")
	r.imports(100)
	r.check("at first")
	for i := 1; i <= 6; i++ {
		before := set.Member(set.Primary())
		switch i % 3 {
		case 0:
			before.Cut()
		case 1:
			before.DropReplies("update", 2)
		}
		r.sends(5)
		if i%2 == 0 {
			set.Elect(mongotest.Nobody)
			r.sends(5)
		}
		set.Elect(i % 3)
		r.sends(5)
		before.Heal()
		r.waitReady()
		r.check("another primary")
	}
	waitFlushed(t, r.p)
	r.check("all is stored")
	for i := range 3 {
		if n := set.Member(i).Counts(); n.Commands == 0 {
			t.Errorf("member %d had no commands", i)
		}
	}
	r.p.Kill()
	r.start()
	r.waitReady()
	r.check("after a crash")
	r.p.Stop()
}

// TestKillMongoDBSet is TestKillMongoDB at a replica set whose members become primary in turn. The long form takes 15 minutes.
func TestKillMongoDBSet(t *testing.T) {
	t.Parallel()
	seconds, seed := journaltest.Times(4, 900), journaltest.Seed(t, 0)
	row := journaltest.Begin(t, "kill -9 and elections of a replica set, seconds", seconds, seed)
	set := mongotest.NewSet(t, 3)
	c := newCampaign(t, seed, 2, "--store", set.URI(), "--mongo-read-preference", "secondaryPreferred")
	c.long, c.rest, c.least = 2, 5*time.Millisecond, min(c.least, seconds/10) // as in TestKillMongoDB
	c.begin()
	stop, healed := make(chan struct{}), make(chan int)
	go func() {
		healed <- elect(set, rand.New(rand.NewPCG(seed, 1)), stop)
	}()
	begin, kills := time.Now(), 0
	for took := time.Duration(0); took < time.Duration(seconds)*time.Second; kills++ {
		row.Violated(c.kill(kills))
		now := time.Since(begin)
		row.Done(int(now.Seconds()) - int(took.Seconds()))
		took = now
	}
	close(stop)
	elections := <-healed
	c.finish(row)
	row.Found("%d kills, %d of them while sealing or pruning; %d elections", kills, c.struck, elections)
	if elections == 0 {
		t.Error("there was no election: the test proves little")
	}
}

// elect makes another member primary again and again, with the one before cut, slow or silent, until it is told to stop.
func elect(set *mongotest.Set, r *rand.Rand, stop <-chan struct{}) (elections int) {
	wait := func(d time.Duration) bool {
		select {
		case <-stop:
			return false
		case <-time.After(d):
			return true
		}
	}
	for wait(time.Duration(200+r.IntN(1000)) * time.Millisecond) {
		before := set.Member(set.Primary())
		switch r.IntN(4) {
		case 0:
			before.Cut()
		case 1:
			before.DropReplies("update", 1+r.IntN(3))
		case 2:
			before.Stall()
		}
		if r.IntN(2) == 0 {
			set.Elect(mongotest.Nobody)
			wait(time.Duration(r.IntN(1000)) * time.Millisecond)
		}
		set.Elect(r.IntN(3))
		elections++
		wait(time.Duration(r.IntN(1000)) * time.Millisecond)
		before.Heal()
	}
	return elections
}
