package pebblestore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"heatlog/heatmap"
	"heatlog/index"
)

// lookup calls fn with the value of key, which is valid only during the call; found tells an empty value from none.
func (e *engine) lookup(key []byte, fn func(value []byte, found bool) error) error {
	value, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return fn(nil, false)
	}
	if err != nil {
		return err
	}
	return closeAfter(closer, fn(value, true))
}

func closeAfter(c io.Closer, err error) error {
	if closeErr := c.Close(); err == nil {
		return closeErr
	}
	return err
}

// get gives the value of key, nil if there is none.
func (e *engine) get(key []byte) (value []byte, err error) {
	err = e.lookup(key, func(v []byte, found bool) error {
		if found {
			value = append([]byte{}, v...)
		}
		return nil
	})
	return value, err
}

func (e *engine) empty() (bool, error) {
	it, err := e.db.NewIter(nil)
	if err != nil {
		return false, err
	}
	empty := !it.First()
	return empty, closeAfter(it, it.Error())
}

// Load gives the named documents in the order of refs. What it gives is durable.
func (s *Store) Load(ctx context.Context, refs []index.Ref) ([]index.Doc, error) {
	e, err := s.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	defer e.users.Done()
	docs := make([]index.Doc, len(refs))
	keys, err := sortedKeys(len(refs), func(i int) *index.Ref { return &refs[i] })
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		docs[k.i].Ref = refs[k.i]
		if err := e.load(k.key, &docs[k.i]); err != nil {
			return nil, fmt.Errorf("load document %s %.100q %s: %w", refs[k.i].Site, refs[k.i].Page, refs[k.i].Period, err)
		}
	}
	return docs, e.settle()
}

func (e *engine) load(key []byte, d *index.Doc) error {
	return e.lookup(key, func(value []byte, found bool) (err error) {
		if !found {
			return nil
		}
		d.Watermark, d.Blob, err = cutValue(value)
		d.Blob = bytes.Clone(d.Blob)
		return err
	})
}

// docKey is the key of the i-th reference or write of a call.
type docKey struct {
	key []byte
	i   int
}

// sortedKeys encodes the keys of n references, in the order of the store.
func sortedKeys(n int, ref func(i int) *index.Ref) ([]docKey, error) {
	keys := make([]docKey, n)
	var buf []byte
	for i := range keys {
		from := len(buf)
		var err error
		if buf, err = appendDoc(buf, ref(i)); err != nil {
			return nil, err
		}
		keys[i] = docKey{buf[from:len(buf):len(buf)], i}
	}
	slices.SortFunc(keys, func(a, b docKey) int { return bytes.Compare(a.key, b.key) })
	return keys, nil
}

// Scan calls fn for every document of r in order of page, period and source. It sees the store as it is at its begin.
func (s *Store) Scan(ctx context.Context, r index.Range, fn func(index.Doc) error) error {
	e, err := s.enter(ctx, false)
	if err != nil {
		return err
	}
	defer e.users.Done()
	c := newScan(r)
	all := &pebble.IterOptions{LowerBound: c.lower, UpperBound: c.upper}
	if r.AllSites {
		all.LowerBound = appendGeneration(nil, r.Generation)
		all.UpperBound = after(all.LowerBound)
	}
	it, err := e.db.NewIterWithContext(ctx, all)
	if err != nil {
		return fmt.Errorf("scan site %s: %w", r.Site, err)
	}
	if r.AllSites {
		err = runSites(ctx, it, r, all.LowerBound, fn)
	} else {
		err = c.run(ctx, it, fn)
	}
	return cmp.Or(closeAfter(it, err), e.fence.broken())
}

// runSites scans one site after the other, all in what the iterator saw when it was made. First is what all keys of the
// generation begin with.
func runSites(ctx context.Context, it *pebble.Iterator, r index.Range, first []byte, fn func(index.Doc) error) error {
	end := after(first)
	for ok := it.First(); ok; ok = it.First() {
		site, _, err := cutText(it.Key()[len(first):])
		if err != nil {
			return fmt.Errorf("scan sites: %w", err)
		}
		r.Site = unescape(site)
		c := newScan(r)
		next := after(c.lower[:c.site])
		it.SetBounds(c.lower, c.upper)
		if err := c.run(ctx, it, fn); err != nil {
			return err
		}
		it.SetBounds(next, end)
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("scan sites: %w", err)
	}
	return nil
}

// scan is a scan under way.
type scan struct {
	index.Range
	lower, upper []byte // bounds of the keys
	site         int    // length of what all keys of the site begin with
	doc          index.Doc
	page         []byte // escaped, of doc
	target       []byte // reused
}

func newScan(r index.Range) *scan {
	c := &scan{Range: r}
	c.doc.Generation, c.doc.Site = r.Generation, r.Site
	c.lower = appendSite(nil, r.Generation, r.Site)
	c.site = len(c.lower)
	if r.IsPrefix {
		c.lower = appendEscaped(c.lower, r.Page)
	} else {
		c.lower = appendText(c.lower, r.Page)
	}
	c.upper = after(c.lower)
	return c
}

func (c *scan) run(ctx context.Context, it *pebble.Iterator, fn func(index.Doc) error) error {
	if c.Periods != nil && len(c.Periods) == 0 {
		return nil
	}
	ok := it.First()
	for ok {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, period, source, err := cutDoc(it.Key()[c.site:])
		if err != nil {
			return fmt.Errorf("scan site %s: %w", c.Site, err)
		}
		if to, skip := c.skip(page, period); skip {
			ok = it.SeekGE(to)
			continue
		}
		if err := c.read(it, page, period, source); err != nil {
			return fmt.Errorf("scan site %s, page %.100q: %w", c.Site, c.doc.Page, err)
		}
		if err := fn(c.doc); err != nil {
			return err
		}
		ok = it.Next()
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("scan site %s: %w", c.Site, err)
	}
	return nil
}

// skip gives the key to go on from if period is not wanted: that of the next wanted run on the page, or the next page.
func (c *scan) skip(page []byte, period heatmap.Period) (to []byte, skip bool) {
	if c.Periods == nil {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(c.Periods, period, func(r index.PeriodRange, p heatmap.Period) int {
		return int(int64(r.Last) - int64(p))
	})
	if i < len(c.Periods) && c.Periods[i].First <= period {
		return nil, false
	}
	c.target = append(append(c.target[:0], c.lower[:c.site]...), page...)
	if i == len(c.Periods) {
		return append(c.target, 0, 2), true // the end of the page's text is 0, 1
	}
	return binary.BigEndian.AppendUint32(append(c.target, 0, 1), uint32(c.Periods[i].First)), true
}

func (c *scan) read(it *pebble.Iterator, page []byte, period heatmap.Period, source []byte) error {
	if c.doc.Watermark == 0 || !bytes.Equal(page, c.page) {
		c.page = append(c.page[:0], page...)
		c.doc.Page = unescape(page)
	}
	if c.doc.Source != string(source) {
		c.doc.Source = string(source)
	}
	c.doc.Period = period
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	c.doc.Watermark, c.doc.Blob, err = cutValue(value)
	return err
}

// Sites gives the sites that a generation has documents of, in bytewise order: it goes from the first document of each to the
// first of the next.
func (s *Store) Sites(ctx context.Context, generation string) (sites []string, err error) {
	e, err := s.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	defer e.users.Done()
	of := appendText([]byte{docSpace}, generation)
	it, err := e.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: of, UpperBound: after(of)})
	if err != nil {
		return nil, fmt.Errorf("list sites of generation %s: %w", generation, err)
	}
	for ok := it.First(); ok && err == nil; {
		var site []byte
		if site, _, err = cutText(it.Key()[len(of):]); err == nil {
			sites = append(sites, unescape(site))
			ok = it.SeekGE(after(appendSite(nil, generation, sites[len(sites)-1])))
		}
	}
	if err = cmp.Or(closeAfter(it, cmp.Or(err, it.Error())), e.fence.broken()); err != nil {
		return nil, fmt.Errorf("list sites of generation %s: %w", generation, err)
	}
	return sites, nil
}

// Record gives the named value, nil if there is none. What it gives is durable.
func (s *Store) Record(ctx context.Context, name string) ([]byte, error) {
	e, err := s.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	defer e.users.Done()
	value, err := e.get(recordKey(name))
	if err != nil {
		return nil, fmt.Errorf("read record %q: %w", name, err)
	}
	return value, e.settle()
}

func recordKey(name string) []byte { return append([]byte{recordSpace}, name...) }
