package collector

import (
	"slices"
	"sync/atomic"

	"heatlog/heatmap"
)

// groupsInFlight is how many groups an import has: one being filled, one waiting, one being appended.
const groupsInFlight = 3

// group is what becomes one append to the journal.
type group struct {
	hits  []heatmap.Hit // MaxAppendHits of them
	n     int           // that are filled
	bytes int           // of the lines of these
	line  int           // the first that may be in it
	sites []*siteEntry  // of hits in it that may not be marked as used
}

// next gives the place for the next hit.
func (g *group) next() *heatmap.Hit { return &g.hits[g.n] }

// take counts the hit at next in.
func (g *group) take(lineBytes int, site *siteEntry) {
	g.n++
	g.bytes += lineBytes
	g.sites = addUnused(g.sites, site)
}

func (g *group) full() bool { return g.n == len(g.hits) || g.bytes > MaxAppendBytes-MaxLine }

// addUnused adds a site that is not marked as used.
func addUnused(sites []*siteEntry, site *siteEntry) []*siteEntry {
	if site.used.Load() || slices.Contains(sites, site) {
		return sites
	}
	return append(sites, site)
}

// pipeline appends groups to the journal in the order in which they are committed, while its owner fills others. Its
// methods are for one goroutine.
type pipeline struct {
	c    *Collector
	work chan *group
	free chan *group
	made int
	done chan struct{}

	failed atomic.Bool
	err    error // these belong to the appending goroutine until done is closed
	stored int   // hits
	lost   int   // line from which on nothing is stored, if err is set
}

func newPipeline(c *Collector) *pipeline {
	pl := &pipeline{
		c: c, work: make(chan *group, 1), free: make(chan *group, groupsInFlight), done: make(chan struct{}),
	}
	go pl.append()
	return pl
}

// append is the goroutine that stores groups. After an error it stores nothing more.
func (pl *pipeline) append() {
	defer close(pl.done)
	var batch [1]heatmap.Batch
	for g := range pl.work {
		if pl.err == nil {
			batch[0].Hits = g.hits[:g.n]
			if pl.err = pl.store(g, batch[:]); pl.err == nil {
				pl.stored += g.n
			} else {
				pl.lost = g.line
				pl.failed.Store(true)
			}
		}
		pl.free <- g
	}
}

func (pl *pipeline) store(g *group, batches []heatmap.Batch) error {
	if err := pl.c.waitAdmitted(g.n); err != nil {
		return err
	}
	return pl.c.store(g.sites, batches)
}

// group gives an empty group for lines from line on, waiting for one if all are under way.
func (pl *pipeline) group(line int) *group {
	var g *group
	select {
	case g = <-pl.free:
	default:
		if pl.made == groupsInFlight {
			g = <-pl.free
			break
		}
		pl.made++
		if g, _ = pl.c.groups.Get().(*group); g == nil {
			g = &group{hits: make([]heatmap.Hit, MaxAppendHits)}
		}
	}
	g.n, g.bytes, g.line, g.sites = 0, 0, line, g.sites[:0]
	return g
}

// commit hands a group over and reports whether it is any use to go on.
func (pl *pipeline) commit(g *group) (goOn bool) {
	if g.n == 0 {
		pl.free <- g
	} else {
		pl.work <- g
	}
	return !pl.failed.Load()
}

// finish waits until all groups are stored, or not.
func (pl *pipeline) finish() error {
	close(pl.work)
	<-pl.done
	for range pl.made {
		g := <-pl.free
		clear(g.hits) // an idle group holds no strings
		pl.c.groups.Put(g)
	}
	return pl.err
}
