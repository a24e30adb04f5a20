package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// TestKill ends the server with kill -9 again and again while two senders send batches, each until it is acknowledged,
// over both ways in and in both ack modes, while the server seals small segments and, in every other era, prunes all that
// it may. An era is some kills; between two of them the clock goes on by an hour, so that older hits need not be kept to tell
// repeats. In the end every acknowledged batch must be counted exactly once, and one that was never acknowledged at most
// once, whole or not at all; what reads the journal must find what is kept of it. The long form has 2,000 kills.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, seed := journaltest.Times(100, 2000), journaltest.Seed(t, 0)
	row := journaltest.Begin(t, "kill -9", kills, seed)
	c := newCampaign(t, seed, 1)
	c.begin()
	for n := range kills {
		row.Done(1)
		row.Violated(c.kill(n))
	}
	c.finish(row)
	if c.first == 0 || c.struck == 0 {
		t.Errorf("%d hits were pruned, %d kills struck: the test proves little", c.first, c.struck)
	}
	row.Found("%d kills struck sealing or pruning, which have deleted %d hits", c.struck, c.first)
}

// campaign is one run of kills on one data folder.
type campaign struct {
	t       *testing.T
	dir     string
	store   []string      // flags of every server
	long    int           // servers, one of which lives three times as long
	rest    time.Duration // of a sender between two batches
	least   int           // batches of each sender that must be acknowledged, or little is proven
	token   string
	random  *rand.Rand
	base    atomic.Pointer[string] // address of the server that runs, nil for none
	stop    atomic.Bool            // senders end after the batch that they are at
	pause   atomic.Bool            // senders begin no batch
	senders []*sender
	sending sync.WaitGroup
	ahead   time.Duration // of the servers' clock
	struck  int           // kills that left something half done of sealing or pruning
	first   uint64        // position that the journal begins at

	complaints int
}

// newCampaign has so many senders for each of the two ways in.
func newCampaign(t *testing.T, seed uint64, pairs int, store ...string) *campaign {
	c := &campaign{t: t, dir: t.TempDir(), store: store, long: 20, least: 50, random: rand.New(rand.NewPCG(seed, 0))}
	for n := range pairs {
		c.senders = append(c.senders, &sender{c: c, name: fmt.Sprint("in", n), post: c.postIn}, &sender{c: c, name: fmt.Sprint("import", n), post: c.postImport})
	}
	return c
}

// begin adds the site and lets the senders begin.
func (c *campaign) begin() {
	c.t.Helper()
	p := startServer(c.t, c.dir, c.store...)
	p.AddSite("kill", "UTC", "https://kill.example")
	c.token = p.Token()
	p.Stop()
	for _, s := range c.senders {
		c.sending.Go(s.run)
	}
}

// kill is the nth kill, or the end of an era.
func (c *campaign) kill(n int) (violations int) {
	c.t.Helper()
	if n%killsPerEra == killsPerEra-1 {
		c.endEra(n)
		return c.verify()
	}
	c.killOnce(n)
	return 0
}

// finish lets the senders end with what they are at, and compares what is counted with what was acknowledged.
func (c *campaign) finish(row *journaltest.Row) {
	c.t.Helper()
	c.stop.Store(true)
	last := startServer(c.t, c.dir, c.flags(killsPerEra)...)
	c.base.Store(&last.Base)
	c.sending.Wait()
	row.Violated(c.check(last))
	last.Kill()
	last = startServer(c.t, c.dir, c.flags(0)...)
	row.Violated(c.check(last) + c.recount(last))
	last.Stop()
	row.Violated(c.verify())
	for _, s := range c.senders {
		row.Found("%s: %d batches of %d hits acknowledged, %d sends", s.name, s.acked, hitsPerBatch, s.sends)
	}
}

// killsPerEra is how many kills come between two jumps of the clock.
const killsPerEra = 10

// flags are those of the nth server.
func (c *campaign) flags(n int) []string {
	flags := append(slices.Clone(c.store),
		"--ack", [...]string{"sync", "write"}[n%2], "--flush-every", "100ms", "--cache-bytes", "1MiB",
		"--segment-bytes", "8KiB", "--prune-every", "20ms", "--clock-ahead", c.ahead.String(),
	)
	if n/killsPerEra%2 == 1 {
		flags = append(flags, "--retention", "1B")
	}
	return flags
}

// endEra runs a server until every batch that was sent is acknowledged, kills it and lets an hour pass.
func (c *campaign) endEra(n int) {
	for _, s := range c.senders {
		s.idle.Store(false)
	}
	c.pause.Store(true)
	p := startServer(c.t, c.dir, c.flags(n)...)
	c.base.Store(&p.Base)
	for _, s := range c.senders {
		for !s.idle.Load() {
			time.Sleep(time.Millisecond)
		}
	}
	c.base.Store(nil)
	p.Kill()
	c.ahead += time.Hour
	c.pause.Store(false)
}

// verify reads the journal of a server that has ended, and looks for what a kill must not leave.
func (c *campaign) verify() (violations int) {
	c.t.Helper()
	rep, err := journal.Verify(c.t.Context(), nil, dataDir(c.dir).journal(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(rep.Damages) > 0 || rep.Hits != rep.End-rep.First || rep.First < c.first {
		violations++
		c.complain("journal: %+v", rep)
	}
	for _, err := range rep.Manifest {
		if !errors.Is(err, journal.ErrManifest) {
			violations++
			c.complain("journal: %v", err)
		}
	}
	c.first = rep.First
	return violations
}

// halfDone reports whether a kill came between two steps of sealing or pruning.
func (c *campaign) halfDone() bool {
	names, err := filepath.Glob(filepath.Join(dataDir(c.dir).journal(), "*", "*"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range names {
		sealed, isSealed := strings.CutSuffix(name, ".hjs")
		if strings.HasSuffix(name, ".hjs.tmp") || strings.HasSuffix(name, "MANIFEST.tmp") || isSealed && slices.Contains(names, sealed+".hj") {
			return true
		}
	}
	return false
}

// dumpedClick finds page and place of a click in a line of a dump.
var dumpedClick = regexp.MustCompile(` url="([^"]*)".* at=([0-9]+),([0-9]+) `)

// recount compares what scans find with what is kept of the journal, cell by cell.
func (c *campaign) recount(p *process) (violations int) {
	c.t.Helper()
	kept := map[string]map[cell]int{}
	err := journal.Dump(c.t.Context(), nil, p.dir().journal(), journal.Range{}, func(line []byte) error {
		m := dumpedClick.FindSubmatch(line)
		if m == nil {
			return fmt.Errorf("dump gives %q", line)
		}
		page := string(m[1])
		x, xErr := strconv.Atoi(string(m[2]))
		y, yErr := strconv.Atoi(string(m[3]))
		if kept[page] == nil {
			kept[page] = map[cell]int{}
		}
		kept[page][cell{x, y}] = 1 // a batch that was sent again is there twice and counts once
		return errors.Join(xErr, yErr)
	}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range c.senders {
		for n := range min(killPages, 20) {
			page := s.page(n)
			if got := p.clickCells("kill", page, "where", "true"); !maps.Equal(got, kept[page]) {
				violations++
				c.complain("%s: a scan finds %d cells, %d are kept", page, len(got), len(kept[page]))
			}
		}
	}
	return violations
}

// killOnce runs a server for 0.1 to 0.7 s from its start, now and then for longer, and kills it.
func (c *campaign) killOnce(n int) {
	life := 100*time.Millisecond + time.Duration(c.random.Int64N(int64(600*time.Millisecond)))
	if n%c.long == 0 {
		life *= 3
	}
	p, listens := spawnServer(c.t, c.dir, c.flags(n)...)
	end := time.After(life)
	select {
	case base, ok := <-listens:
		if !ok {
			<-p.Done
			c.t.Fatalf("server ended at start %d:\n%s", n, p.Log)
		}
		c.base.Store(&base)
		<-end
	case <-end:
	}
	c.base.Store(nil)
	p.Kill()
	if c.halfDone() {
		c.struck++
	}
}

// check compares what the server counts with what was acknowledged.
func (c *campaign) check(p *process) (violations int) {
	c.t.Helper()
	waitReady(c.t, p)
	p.WaitCounted("kill")
	for _, s := range c.senders {
		counted := map[string]map[cell]int{}
		for n := range killPages {
			counted[s.page(n)] = p.clickCells("kill", s.page(n))
		}
		for batch := range s.tried {
			seen := s.take(counted[s.page(batch)], batch)
			if ok := seen == [hitsPerBatch]int{1, 1, 1, 1, 1} || batch >= s.acked && seen == [hitsPerBatch]int{}; !ok {
				violations++
				c.complain("%s: batch %d of %d acknowledged: counts %v", s.name, batch, s.acked, seen)
			}
		}
		for page, rest := range counted {
			if len(rest) > 0 {
				violations++
				c.complain("%s: page %s has %d cells that were never sent", s.name, page, len(rest))
			}
		}
		if s.acked < c.least {
			c.t.Errorf("%s: only %d batches were acknowledged: the test proves little", s.name, s.acked)
		}
	}
	return violations
}

// complain reports a violation; of many the first say enough.
func (c *campaign) complain(format string, args ...any) {
	c.t.Helper()
	if c.complaints++; c.complaints <= 20 {
		c.t.Errorf(format, args...)
	}
}

// clickCells asks for every clicked cell of a page, with more parameters in pairs.
func (p *process) clickCells(site, page string, more ...string) map[cell]int {
	p.T.Helper()
	var a struct{ Points [][3]int }
	query := url.Values{"site": {site}, "url": {page}, "limit": {"0"}}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	p.Ask("/v1/heatmap", query, &a)
	cells := map[cell]int{}
	for _, point := range a.Points {
		cells[cell{point[0], point[1]}] = point[2]
	}
	return cells
}
