package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// TestSpans takes random ranges of a journal apart: with no segment sealed, with all that are full, and after a start. The spans
// are the range without gaps, a reader of each gives the hits that it is said to hold, and what is said of them holds.
func TestSpans(t *testing.T) {
	fsys := new(journaltest.FS)
	nowFn, now := clock()
	o := journal.Options{FS: fsys, Now: nowFn, SegmentBytes: 200 << 10}
	j := mustOpen(t, o)
	j.SetBlockHits(250)
	for i := uint64(0); j.Stats().Segments < 4; i++ {
		fillMixed(t, j, now, i, 9)
	}
	chunks := readTo(t, j, 0, j.Durable())
	r := rand.New(rand.NewPCG(5, 5))
	before := j.Spans(0, j.Durable())
	checkSpans(t, j, r, chunks, 0)
	mustSeal(t, j)
	for _, s := range before {
		checkSpan(t, j, &s, chunks)
	}
	checkSpans(t, j, r, chunks, 20)
	mustClose(t, j)
	j = mustOpen(t, o)
	checkSpans(t, j, r, chunks, 20)
	if got := j.Spans(j.Durable(), j.Durable()+1); len(got) != 0 {
		t.Errorf("spans behind the end: %+v", got)
	}

	if _, err := j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1}); err != nil {
		t.Fatal(err)
	}
	first := j.First()
	if kept := j.Spans(0, j.Durable()); first == 0 || kept[0].From != first {
		t.Errorf("pruned up to %d: first span is %+v", first, kept[0])
	}
	if _, err := j.ReadFields(before[0].From, journal.AllFields); !errors.As(err, new(*journal.PrunedError)) {
		t.Errorf("a span that was pruned: %v", err)
	}
}

// checkSpans checks all of a journal, of which so many spans at least are known, and parts of it.
func checkSpans(t *testing.T, j *journal.Journal, r *rand.Rand, chunks []heatmap.Chunk, known int) {
	t.Helper()
	end := j.Durable()
	for i := range 20 {
		from, to := r.Uint64N(end), end
		if i == 0 {
			from = 0
		} else {
			to = from + r.Uint64N(end-from+1)
		}
		at := from
		for _, s := range j.Spans(from, to) {
			if s.From != at || s.To <= s.From {
				t.Fatalf("span %d to %d of %d to %d at %d", s.From, s.To, from, to, at)
			}
			at = s.To
			checkSpan(t, j, &s, chunks)
			if i == 0 && s.Known {
				known--
			}
		}
		if at != to && from < to {
			t.Fatalf("spans of %d to %d end at %d", from, to, at)
		}
	}
	if known > 0 {
		t.Errorf("of %d spans too few, the block is known", known)
	}
}

// checkSpan reads a span and compares all that is said of it with the chunks of the journal.
func checkSpan(t *testing.T, j *journal.Journal, s *journal.Span, chunks []heatmap.Chunk) {
	t.Helper()
	reader, err := j.Read(s.From)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	sites := map[string]bool{}
	var c heatmap.Chunk
	for c.End() < s.To {
		if err := reader.Next(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		for len(chunks) > 0 && chunks[0].End() <= c.Position {
			chunks = chunks[1:]
		}
		if len(chunks) == 0 || chunks[0].Position != c.Position || diffBatches(chunks[0].Batches, c.Batches) != "" {
			t.Fatalf("span %d to %d: chunk of position %d is not what was written", s.From, s.To, c.Position)
		}
		if c.Appended < s.FirstAppend || s.LastAppend > 0 && c.Appended > s.LastAppend {
			t.Fatalf("span %d to %d: appended at %d, said to be %d to %d", s.From, s.To, c.Appended, s.FirstAppend, s.LastAppend)
		}
		for _, b := range c.Batches {
			for _, h := range b.Hits {
				sites[h.Site] = true
				if s.Known && (h.Time < s.FirstTime || h.Time > s.LastTime) {
					t.Fatalf("span %d to %d: a hit has time %d, said to be %d to %d", s.From, s.To, h.Time, s.FirstTime, s.LastTime)
				}
				if !s.HasSite(h.Site) {
					t.Fatalf("span %d to %d: it has a hit of site %q", s.From, s.To, h.Site)
				}
			}
		}
	}
	if s.HasSite("nowhere") == s.Known {
		t.Errorf("span %d to %d, known %t: it may have a hit of a site that is nowhere", s.From, s.To, s.Known)
	}
}

// TestSpanOfManySites seals a block of more sites than a footer lists: then there may be a hit of any.
func TestSpanOfManySites(t *testing.T) {
	f := func(sites int, nowhere bool) {
		t.Helper()
		j := mustOpen(t, journal.Options{FS: new(journaltest.FS), SegmentBytes: 4 << 10})
		var b heatmap.Batch
		for i := range sites {
			b.Hits = append(b.Hits, heatmap.Hit{Kind: heatmap.KindView, Site: fmt.Sprint("site-", i), Time: int64(i)})
		}
		mustAppend(t, j, b)
		mustAppend(t, j, b) // another segment
		mustSeal(t, j)
		s := j.Spans(0, 1)
		if len(s) != 1 || !s[0].Known || s[0].To != 1 || s[0].FirstTime != 0 || s[0].LastTime != int64(sites-1) {
			t.Fatalf("%d sites: spans are %+v", sites, s)
		}
		if !s[0].HasSite("site-0") || !s[0].HasSite(fmt.Sprint("site-", sites-1)) || s[0].HasSite("nowhere") != nowhere {
			t.Errorf("%d sites: nowhere may have a hit: %t, want %t", sites, s[0].HasSite("nowhere"), nowhere)
		}
	}
	f(1024, false)
	f(1025, true)
}
