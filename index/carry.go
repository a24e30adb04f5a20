package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heatlog/heatmap"
)

// Carry carries documents over to a new generation, in three steps: Copy, Count and Sum. Each may be taken again after it
// broke off, or was done: it goes on from what it finds.
type Carry struct {
	Options Options // of the new generation; Source is that of Base, Frozen is not used
	Rules   *Rules  // of the generation that documents are from
	Base    *Base
}

// carryBytes bounds the blobs that are written at a time.
const carryBytes = 4 << 20

// Copy copies what Base carries from the documents of an index, and gives the positions for it: hits below are carried over.
//
// Each copy says by its watermark which hits of Base.Source it holds, so they need not be of one moment: Count adds to each what
// it has not. Documents of other sources do not change any more, so they are added up in the same copy.
func (c *Carry) Copy(ctx context.Context, from *Index) (positions map[string]uint64, err error) {
	if err := from.waitSettled(ctx); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, from); err != nil {
		return nil, err
	}
	sites, err := c.Options.Store.Sites(ctx, c.Base.Generation)
	if err != nil {
		return nil, fmt.Errorf("list sites of generation %s: %w", c.Base.Generation, err)
	}
	copied := copying{Carry: c, into: CarriedSource(c.Base.Generation)}
	if copied.before, copied.anew, err = c.Base.scope(); err != nil {
		return nil, err
	}
	if copied.least, err = c.begin(ctx); err != nil {
		return nil, err
	}
	for _, site := range sites {
		if err := copied.site(ctx, site); err != nil {
			return nil, fmt.Errorf("copy documents of site %s: %w", site, err)
		}
	}
	return c.positions(ctx, from, copied.least, copied.to)
}

// mark is the record of how far flushes of the carried source may have gone.
func (c *Carry) mark() *highMark {
	return &highMark{store: c.Options.Store, generation: c.Options.Generation, source: CarriedSource(c.Base.Generation)}
}

// prepare makes the records without which documents must not be: the list of sources, and how far those go that are copied as
// they are. The carried source begins at the checkpoint of the source that is counted meanwhile. Where that is 0, nothing of that
// source is carried, as no watermark can say that a document has none of its hits.
func (c *Carry) prepare(ctx context.Context, from *Index) error {
	b, store := c.Base, c.Options.Store
	if _, err := addSources(ctx, store, c.Options.Generation, append([]string{CarriedSource(b.Generation)}, b.Whole...)); err != nil {
		return err
	}
	for _, source := range b.Whole {
		high, _, err := (&highMark{store: store, generation: b.Generation, source: source}).read(ctx)
		if err != nil {
			return err
		}
		at, _, err := readCheckpoint(ctx, store, b.Generation, source)
		if err != nil {
			return err
		}
		into := &highMark{store: store, generation: c.Options.Generation, source: source}
		if err := errors.Join(into.raise(ctx, high), into.writeCheckpoint(ctx, at)); err != nil {
			return err
		}
	}
	if !b.carries() {
		return nil
	}
	if _, have, err := readCheckpoint(ctx, store, c.Options.Generation, CarriedSource(b.Generation)); err != nil || have != nil {
		return err
	}
	at, _, err := readCheckpoint(ctx, store, b.Generation, b.Source)
	if err == nil && at.Position == 0 {
		if err = from.Flush(ctx); err == nil {
			at, _, err = readCheckpoint(ctx, store, b.Generation, b.Source)
		}
	}
	if err != nil {
		return err
	}
	at.Totals = Totals{}
	return c.mark().writeCheckpoint(ctx, at)
}

// begin is the position at which the carried source begins.
func (c *Carry) begin(ctx context.Context) (uint64, error) {
	at, _, err := readCheckpoint(ctx, c.Options.Store, c.Options.Generation, CarriedSource(c.Base.Generation))
	return at.Position, err
}

// positions gives those of an index when it is at least so far. That of Base.Source is 0 if it began there.
func (c *Carry) positions(ctx context.Context, from *Index, began, atLeast uint64) (map[string]uint64, error) {
	all := make(map[string]uint64)
	for source := range c.Base.Kept {
		if source == c.Base.Source && began == 0 {
			continue
		}
		for {
			at, err := from.counted(ctx, source)
			if err != nil {
				return nil, err
			}
			if all[source] = at; source != c.Base.Source || at >= atLeast {
				break
			}
			if err := from.waitSettled(ctx); err != nil {
				return nil, err
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	if !c.Base.carries() {
		return all, nil
	}
	return all, c.mark().raise(ctx, max(all[c.Base.Source], 1))
}

// copying is the step Copy of what is carried.
type copying struct {
	*Carry
	into   string // the carried source
	before heatmap.Date
	anew   map[string]bool // sites, nil = all
	least  uint64          // watermark of a document without hits of Base.Source; 0 = nothing of that is carried
	to     uint64          // the largest watermark so far

	key    heatmap.Key
	docs   []Doc // of key, of sources that are added up
	writes []Write
	bytes  int
}

// site copies the documents of a site.
func (c *copying) site(ctx context.Context, site string) error {
	err := c.Options.Store.Scan(ctx, Range{Generation: c.Base.Generation, Site: site, IsPrefix: true}, func(d Doc) error {
		if d.Key != c.key {
			if err := c.add(ctx); err != nil {
				return err
			}
			c.key = d.Key
		}
		switch _, isRead := c.Base.Kept[d.Source]; {
		case slices.Contains(c.Base.Whole, d.Source):
			return c.write(ctx, d.Source, d.Watermark, slices.Clone(d.Blob))
		case d.Source == c.Base.Source && c.least == 0:
		case (isRead || isCarried(d.Source)) && c.carries(site, d.Period):
			d.Blob = slices.Clone(d.Blob)
			c.docs = append(c.docs, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.add(ctx); err != nil {
		return err
	}
	return c.flush(ctx)
}

// carries reports whether all of a period is carried. A month that is carried in part is added up from its days, by Sum.
func (c *copying) carries(site string, p heatmap.Period) bool {
	return c.anew != nil && !c.anew[site] || p.Last() < c.before
}

// add adds up what was found of a key.
func (c *copying) add(ctx context.Context) error {
	if len(c.docs) == 0 {
		return nil
	}
	blob, watermark := c.docs[0].Blob, max(c.least, 1)
	if len(c.docs) > 1 {
		var sum heatmap.Delta
		for _, d := range c.docs {
			if err := sum.MergeBlob(d.Blob); err != nil {
				return fmt.Errorf("blob of page %s %s: %w", d.Page, d.Period, err)
			}
		}
		blob = sum.Append(nil)
	}
	for _, d := range c.docs {
		if d.Source == c.Base.Source {
			watermark = d.Watermark
		}
	}
	c.docs = c.docs[:0]
	return c.write(ctx, c.into, watermark, blob)
}

func (c *copying) write(ctx context.Context, source string, watermark uint64, blob []byte) error {
	if source == c.into {
		c.to = max(c.to, watermark)
	}
	ref := Ref{Generation: c.Options.Generation, Key: c.key, Source: source}
	c.writes = append(c.writes, Write{Ref: ref, New: watermark, Blob: blob})
	if c.bytes += len(blob) + len(ref.Page); c.bytes < carryBytes {
		return nil
	}
	return c.flush(ctx)
}

// flush writes what was copied. What is there already is of a try that broke off: it stays, for it says itself which hits it holds.
func (c *copying) flush(ctx context.Context) error {
	if hold := c.Options.Hold; hold != nil {
		if err := hold(ctx); err != nil {
			return err
		}
	}
	if len(c.writes) == 0 {
		return nil
	}
	applied, err := c.Options.Store.Swap(ctx, c.writes)
	if err != nil {
		return err
	}
	var there []Ref
	for i, done := range applied {
		if !done && c.writes[i].Source == c.into {
			there = append(there, c.writes[i].Ref)
		}
	}
	docs, err := c.Options.Store.Load(ctx, there)
	for _, d := range docs {
		c.to = max(c.to, d.Watermark)
	}
	clear(c.writes)
	c.writes, c.bytes = c.writes[:0], 0
	return err
}

// Count adds to the copies the hits of Base.Source that they have not, up to Base.Positions, by the rules that the documents
// were counted by. It is a recovery: the carried source is read from the checkpoint on, and what a document has already is
// skipped.
func (c *Carry) Count(ctx context.Context) error {
	b := c.Base
	if !b.carries() || b.Positions[b.Source] == 0 {
		return nil
	}
	known, err := b.Base.Carried(b.Source, c.zone)
	if err != nil {
		return err
	}
	carried, err := b.Carried(b.Source, c.zone)
	if err != nil {
		return err
	}
	o := c.Options.withDefaults()
	o.Source = shorter{o.Source, CarriedSource(b.Generation), b.Positions[b.Source]}
	o.Frozen, o.Rules, o.Base = nil, c.Rules, nil
	x := newIndex(o)
	x.leftOut = func(string) (func(*Event) bool, error) {
		return func(ev *Event) bool { return known.Holds(ev) || !carried.Holds(ev) }, nil
	}
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	f := x.newFeed(o.Source, true)
	x.feeds = []*feed{f}
	if err := f.begin(ctx, run); err != nil {
		return err
	}
	go func() {
		defer close(x.done)
		f.run(run)
	}()
	for tick := time.Tick(10 * time.Millisecond); ; {
		select {
		case <-x.done:
			if p, _ := f.pipeline(); p != nil {
				return cmp.Or(ctx.Err(), errors.New("carried hits were not counted to their end"))
			}
			return nil
		case <-tick:
			if err := x.Failed(); err != nil {
				cancel()
				<-x.done
				return &heatmap.StateError{Message: fmt.Sprintf("what generation %s has cannot be carried over: %v", b.Generation, err)}
			}
		}
	}
}

func (c *Carry) zone(site string) *time.Location {
	if c.Options.Zone == nil {
		return nil
	}
	return c.Options.Zone(site)
}
