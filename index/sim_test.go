package index

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"

	"heatlog/journal/journaltest"
)

// TestSimulation runs the code that applies, flushes, checkpoints, recovers and reads under a seeded scheduler which
// decides what happens next: owners die, the power fails, writes get lost, land late or land without an answer. Every
// answer is compared with a recount of the log at the position that it names. Now and then the folder or the store, or
// both, are replaced by an older copy.
//
// HEATLOG_SIM_RUNS sets the number of schedules, HEATLOG_SEED the seed of the first; a failure prints the seed of its own.
func TestSimulation(t *testing.T) {
	runs, err := strconv.Atoi(os.Getenv("HEATLOG_SIM_RUNS"))
	if err != nil {
		runs = journaltest.Times(50_000, 1_000_000)
	}
	seed := journaltest.Seed(t, 1)
	row := journaltest.Begin(t, "simulated schedules", runs, seed)
	var mu sync.Mutex
	var total simCounts
	err = row.Each(runs, func(i int) error {
		w := newSim(seed + uint64(i))
		if err := w.runSafely(); err != nil {
			return fmt.Errorf("seed %d, step %d: %w", seed+uint64(i), w.steps, err)
		}
		mu.Lock()
		defer mu.Unlock()
		total.add(w.counts)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	row.Found("met %+v", total)
	if runs >= 5000 {
		total.check(t)
	}
}

// simCounts says what the schedules met, so that a simulator which never gets anywhere is found out.
type simCounts struct {
	Hits, Repeats, Gaps, Answers, Overtaken, Conflicts, Kills, PowerCuts, LostAnswers, LateWrites, Skips, Totals int

	Restores, StoreRestores, Freezes, FrozenAgain, NotBehind, Returned, Finished, Ahead, Absent int

	Begun, Dropped, OthersBehind int // generations; journals that are behind another than the first
}

func (c *simCounts) add(o simCounts) {
	c.Hits += o.Hits
	c.Repeats += o.Repeats
	c.Gaps += o.Gaps
	c.Answers += o.Answers
	c.Overtaken += o.Overtaken
	c.Conflicts += o.Conflicts
	c.Kills += o.Kills
	c.PowerCuts += o.PowerCuts
	c.LostAnswers += o.LostAnswers
	c.LateWrites += o.LateWrites
	c.Skips += o.Skips
	c.Totals += o.Totals
	c.Restores += o.Restores
	c.StoreRestores += o.StoreRestores
	c.Freezes += o.Freezes
	c.FrozenAgain += o.FrozenAgain
	c.NotBehind += o.NotBehind
	c.Returned += o.Returned
	c.Finished += o.Finished
	c.Ahead += o.Ahead
	c.Absent += o.Absent
	c.Begun += o.Begun
	c.Dropped += o.Dropped
	c.OthersBehind += o.OthersBehind
}

func (c *simCounts) check(t *testing.T) {
	for _, n := range []int{
		c.Hits, c.Repeats, c.Gaps, c.Answers, c.Overtaken, c.Conflicts, c.Kills, c.PowerCuts, c.LostAnswers, c.LateWrites,
		c.Restores, c.StoreRestores, c.Freezes, c.FrozenAgain, c.NotBehind, c.Returned, c.Finished, c.Ahead, c.Absent, c.Totals,
		c.Begun, c.Dropped, c.OthersBehind,
	} {
		if n == 0 {
			t.Errorf("the schedules never met something that they are for: %+v", c)
		}
	}
}

// sim is one schedule: a folder of logs, a store and one or two owners of the same sources, and now and then another
// generation with an owner of its own.
type sim struct {
	rand    *rand.Rand
	all     []*simLog // that there ever were
	logs    []*simLog // in the folder: the frozen ones, then the one that is written
	copies  []simCopy
	store   simStore
	owners  []*owner
	steps   int
	counts  simCounts
	serial  uint16
	batches int
	clock   int64
	begun   int // generations
}

const (
	simSite   = "s"
	simGen    = "g1"
	simShards = 2
)

var (
	simPages = []string{"https://a.example/", "https://a.example/p", "https://a.example/p/q"}
	simDays  = []string{"2026-01-30", "2026-01-31", "2026-02-01"}
)

// simRules are made once: every owner and question of every schedule uses them.
var simRules = DefaultRules()

// simReadsStoredFirst reports whether blobs are read before the live deltas are copied, which a planted bug does.
func simReadsStoredFirst() bool {
	return false
}

func newSim(seed uint64) *sim {
	w := &sim{rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), clock: 1_770_000_000_000}
	w.store = simStore{world: w, docs: make(map[Ref]Doc), records: make(map[string][]byte)}
	w.newLog()
	w.begun = 1
	for range 1 + w.rand.IntN(2) {
		w.owners = append(w.owners, newOwner(w, simGen))
	}
	return w
}

// runSafely is run with a panic as an error, so that it is known which schedule leads there.
func (w *sim) runSafely() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.run()
}

// run takes random steps, then lets everything come to rest and compares all there is.
func (w *sim) run() error {
	length := 100 + w.rand.IntN(300)
	for w.steps = 0; w.steps < length; w.steps++ {
		if err := w.step(); err != nil {
			return err
		}
	}
	return w.settle()
}

func (w *sim) step() error {
	n := w.rand.IntN(1000)
	o := w.owners[w.rand.IntN(len(w.owners))]
	switch {
	case n < 90:
		w.active().append()
	case n < 132:
		w.active().sync()
	case n < 136:
		w.copy()
	case n < 140:
		return w.restore()
	case n < 142:
		w.powerCut()
	case n < 147:
		w.counts.Kills++
		o.restart()
	case n < 151:
		w.begin()
	case n < 152:
		w.drop()
	case n < 180:
		w.store.land()
	case n < 290:
		return o.part().route()
	case n < 470:
		return o.part().work(w.rand.IntN(simShards))
	case n < 530:
		o.part().takeFlush(w.rand.IntN(simShards))
	case n < 810:
		return o.part().stepFlush(w.rand.IntN(simShards))
	case n < 840:
		o.part().markCheckpoint()
	case n < 870:
		return o.part().writeCheckpoint()
	case n < 930:
		o.ask()
	default:
		return o.answer()
	}
	return nil
}

func (w *sim) powerCut() {
	w.counts.PowerCuts++
	w.active().cut()
	for _, o := range w.owners {
		o.restart()
	}
}

// settle makes everything durable, lets each owner store all it has, and asks a last time. More comes then, and owners that
// begin at the checkpoints of before go on with it: what they must know of the hits before is in the log alone.
func (w *sim) settle() error {
	w.active().sync()
	w.store.calm = true
	for range 3 {
		for _, o := range w.owners {
			if err := o.finish(); err != nil {
				return err
			}
		}
	}
	for _, o := range w.owners {
		if err := o.compareAll(); err != nil {
			return err
		}
	}
	for len(w.store.late) > 0 { // what arrives after all is done must change nothing
		w.store.land()
	}
	for range w.rand.IntN(3) {
		w.active().append()
	}
	w.active().sync()
	for _, gen := range w.generations() {
		fresh := newOwner(w, gen)
		if err := fresh.finish(); err != nil {
			return err
		}
		if err := fresh.compareAll(); err != nil {
			return err
		}
	}
	return nil
}

// begin makes an owner of a new generation, if there is none but the first.
func (w *sim) begin() {
	if len(w.generations()) > 1 {
		return
	}
	w.counts.Begun++
	w.begun++
	w.owners = append(w.owners, newOwner(w, "g"+strconv.Itoa(w.begun)))
}

// drop ends the other generation and deletes what is stored of it. Writes that are still on their way land later.
func (w *sim) drop() {
	last := w.owners[len(w.owners)-1]
	if last.gen == simGen {
		return
	}
	w.counts.Dropped++
	w.owners = w.owners[:len(w.owners)-1]
	maps.DeleteFunc(w.store.docs, func(r Ref, _ Doc) bool { return r.Generation == last.gen })
	for _, l := range w.all {
		delete(w.store.records, checkpointName(last.gen, l.id))
		delete(w.store.records, highName(last.gen, l.id))
	}
}

// generations gives those that have an owner.
func (w *sim) generations() (all []string) {
	for _, o := range w.owners {
		if !slices.Contains(all, o.gen) {
			all = append(all, o.gen)
		}
	}
	return all
}

func (w *sim) ownersOf(gen string) (n int) {
	for _, o := range w.owners {
		if o.gen == gen {
			n++
		}
	}
	return n
}
