package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"heatlog/heatmap"
	"heatlog/index"
)

const (
	findSpans = 100    // runs of periods that one find asks for
	pageBatch = 10_000 // documents of one answer about a page, if 16 MiB hold them
	batch     = 1_000  // documents of one answer about many pages
	scanIDs   = 10_000 // ids that a scan reads ahead of their documents
	scanDocs  = 1_000  // documents that it asks for by id
)

// Scan calls fn for every document of r in order of site, page, period and source. It is no snapshot: a document is as it was
// when its answer was made, and one that comes meanwhile is there or not.
//
// Of a page it reads all wanted periods with one find. Of a prefix it reads all documents, or first the ids alone if only some
// periods are wanted.
func (s *Store) Scan(ctx context.Context, r index.Range, fn func(index.Doc) error) error {
	if err := s.enter(ctx, false); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	if r.Periods != nil && len(r.Periods) == 0 {
		return nil
	}
	c := &scan{Store: s, Range: r, fn: fn}
	err := c.run(ctx)
	if call := (*callError)(nil); errors.As(err, &call) {
		return call.err
	}
	if err != nil {
		return fmt.Errorf("scan generation %s, site %s, page %.100q: %w", r.Generation, r.Site, r.Page, err)
	}
	return nil
}

// callError is an error of a scan's fn.
type callError struct{ err error }

func (e *callError) Error() string { return e.err.Error() }

// scan is a scan under way.
type scan struct {
	*Store
	index.Range
	fn       func(index.Doc) error
	ids      refReader
	last     string // id of the last document that fn had
	progress int    // documents and ids that came
	primary  bool   // no other member is asked any more
}

// span is a run of ids, from lower on and below upper.
type span struct{ lower, upper string }

// under gives the ids that begin with prefix.
func under(prefix []byte) span { return span{string(prefix), string(prefix) + behind} }

// from gives the part of a span behind an id. An id that another one begins goes on with a character above endOf.
func (p span) from(last string) span {
	if last != "" {
		p.lower = max(p.lower, last+string(endOf))
	}
	return p
}

func (c *scan) run(ctx context.Context) error {
	if !c.AllSites {
		return c.site(ctx)
	}
	if c.IsPrefix && c.Page == "" {
		return c.prefix(ctx, under(appendText(nil, c.Generation)))
	}
	sites, err := c.Sites(ctx, c.Generation)
	if err != nil {
		return err
	}
	for _, c.Site = range sites {
		if err := c.site(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *scan) site(ctx context.Context) error {
	prefix := appendText(appendText(nil, c.Generation), c.Site)
	if c.IsPrefix {
		return c.prefix(ctx, under(appendEscaped(prefix, c.Page)))
	}
	prefix = appendText(prefix, c.Page)
	if c.Periods == nil {
		return c.spans(ctx, []span{under(prefix)}, options.Find().SetBatchSize(pageBatch))
	}
	spans := make([]span, len(c.Periods))
	for i, p := range c.Periods {
		first := appendPeriod(slices.Clone(prefix), p.First)
		last := appendPeriod(slices.Clone(prefix), p.Last)
		spans[i] = span{string(first), string(last) + behind}
	}
	for some := range slices.Chunk(spans, findSpans) {
		if err := c.spans(ctx, some, options.Find().SetBatchSize(pageBatch)); err != nil {
			return err
		}
	}
	return nil
}

// prefix scans a span of many pages.
func (c *scan) prefix(ctx context.Context, all span) error {
	if c.Periods == nil {
		return c.spans(ctx, []span{all}, options.Find().SetBatchSize(batch))
	}
	for {
		page, err := c.readIDs(ctx, all)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(page.wanted, scanDocs) {
			if err := c.named(ctx, some); err != nil {
				return err
			}
		}
		if page.read < scanIDs {
			return nil
		}
		all = all.from(page.last)
	}
}

// idPage is what one find of ids gave.
type idPage struct {
	wanted []string // those of wanted periods
	read   int
	last   string
}

// readIDs reads the first ids of a span, scanIDs at most.
func (c *scan) readIDs(ctx context.Context, all span) (page idPage, err error) {
	err = c.retry(ctx, func(from *mongo.Collection) error {
		if page.read == scanIDs {
			return nil
		}
		o := options.Find().SetProjection(bson.D{{Key: idField, Value: 1}}).SetLimit(int64(scanIDs - page.read)).SetBatchSize(scanIDs + 1)
		return c.query(ctx, from, filterOf([]span{all.from(page.last)}), o.SetSort(byID), func(raw bson.Raw) error {
			id, _ := raw.Lookup(idField).StringValueOK()
			ref, err := c.ids.read(id)
			if err != nil {
				return &foreignError{id, err.Error()}
			}
			if page.read, page.last = page.read+1, id; c.wants(ref.Period) {
				page.wanted = append(page.wanted, id)
			}
			c.progress++
			return nil
		})
	})
	return page, err
}

func (c *scan) wants(p heatmap.Period) bool {
	return slices.ContainsFunc(c.Periods, func(r index.PeriodRange) bool { return r.First <= p && p <= r.Last })
}

// named gives fn the documents of ids, which are sorted.
func (c *scan) named(ctx context.Context, ids []string) error {
	return c.retry(ctx, func(from *mongo.Collection) error {
		n, found := slices.BinarySearch(ids, c.last)
		if found {
			n++
		}
		if n == len(ids) {
			return nil
		}
		filter := bson.D{{Key: idField, Value: bson.D{{Key: "$in", Value: ids[n:]}}}}
		return c.query(ctx, from, filter, options.Find().SetSort(byID).SetBatchSize(scanDocs+1), c.give)
	})
}

// spans gives fn the documents of spans, which are in ascending order.
func (c *scan) spans(ctx context.Context, spans []span, o *options.FindOptionsBuilder) error {
	return c.retry(ctx, func(from *mongo.Collection) error {
		var rest []span
		for _, p := range spans {
			if p = p.from(c.last); p.lower < p.upper {
				rest = append(rest, p)
			}
		}
		if len(rest) == 0 {
			return nil
		}
		return c.query(ctx, from, filterOf(rest), o.SetSort(byID), c.give)
	})
}

// byID is the order of all scans.
var byID = bson.D{{Key: idField, Value: 1}}

func filterOf(spans []span) bson.D {
	one := func(p span) bson.D {
		return bson.D{{Key: idField, Value: bson.D{{Key: "$gte", Value: p.lower}, {Key: "$lt", Value: p.upper}}}}
	}
	if len(spans) == 1 {
		return one(spans[0])
	}
	any := make(bson.A, len(spans))
	for i, p := range spans {
		any[i] = one(p)
	}
	return bson.D{{Key: "$or", Value: any}}
}

// give calls fn with a document.
func (c *scan) give(raw bson.Raw) error {
	d, err := readDocument(raw)
	if err != nil {
		return err
	}
	ref, err := c.ids.read(d.id)
	if err != nil {
		return &foreignError{d.id, err.Error()}
	}
	if d.id <= c.last {
		return &orderError{d.id, c.last}
	}
	c.last = d.id
	c.progress++
	c.counts.read.Add(1)
	c.counts.readBytes.Add(uint64(len(d.blob)))
	if err := c.fn(index.Doc{Ref: ref, Watermark: d.watermark, Blob: d.blob}); err != nil {
		return &callError{err}
	}
	return nil
}

// retry calls try, which goes on behind what it had, until it comes to its end: another member than the primary is asked
// once, the primary again as long as each time something comes, as when a cursor is lost in the middle.
func (c *scan) retry(ctx context.Context, try func(from *mongo.Collection) error) error {
	for {
		from := c.docs
		if !c.primary {
			from = c.readers()
		}
		before := c.progress
		err := try(from)
		if err == nil || ctx.Err() != nil || isFinal(err) {
			return err
		}
		if from == c.docs && c.progress == before {
			return err
		}
		c.primary = true
	}
}

// isFinal reports whether an error is of the caller or of the documents, so that it comes again.
func isFinal(err error) bool {
	var call *callError
	var foreign *foreignError
	var order *orderError
	return errors.As(err, &call) || errors.As(err, &foreign) || errors.As(err, &order)
}

// orderError says that a document came where another one belongs.
type orderError struct{ id, last string }

func (e *orderError) Error() string {
	return fmt.Sprintf("document %s came behind %s: the collection does not order its _id bytewise; "+
		"if it has a collation, give heatlog an empty database", describe(e.id), describe(e.last))
}

// Sites gives the sites that a generation has documents of, in bytewise order: it goes from the first document of each to the
// first of the next.
func (s *Store) Sites(ctx context.Context, generation string) ([]string, error) {
	sites, err := s.sites(ctx, generation)
	if err != nil {
		return nil, fmt.Errorf("list sites of generation %s: %w", generation, err)
	}
	return sites, nil
}

func (s *Store) sites(ctx context.Context, generation string) (sites []string, err error) {
	if err := s.enter(ctx, false); err != nil {
		return nil, err
	}
	all := under(appendText(nil, generation))
	for {
		first, err := s.nthID(ctx, all, 0)
		if err != nil || first == "" {
			return sites, err
		}
		_, rest, err := cutText(first)
		if err != nil {
			return nil, &foreignError{first, err.Error()}
		}
		site, _, err := cutText(rest)
		if err != nil {
			return nil, &foreignError{first, err.Error()}
		}
		sites = append(sites, site)
		all.lower = under(appendText(appendText(nil, generation), site)).upper
	}
}

// nthID gives the id of the n-th document of a span, counted from 0, "" if there are not so many.
func (s *Store) nthID(ctx context.Context, all span, n int64) (id string, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		o := options.FindOne().SetProjection(bson.D{{Key: idField, Value: 1}}).SetSort(byID).SetSkip(n)
		raw, err := s.docs.FindOne(ctx, filterOf([]span{all}), o).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		if err == nil {
			id, _ = raw.Lookup(idField).StringValueOK()
		}
		return err
	})
	return id, err
}
