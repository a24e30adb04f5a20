package index

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// told is what a test keeps of an event.
type told struct {
	Time     int64
	At       Spot
	Position uint64
	Page     string
	Date     string
	Device   heatmap.Device
	Bot      bool
	Dead     bool
	Repeat   bool
	DeadAt   []Spot
	RageAt   []Spot
	Visitor  uint64
	Sampled  uint32
}

func tellEvent(e *Event) told {
	return told{
		Time: e.Hit.Time, At: Spot{X: e.Hit.X, Y: e.Hit.Y, Cell: e.Anchor.Cell, Element: e.Anchor.Element}, Position: e.Position, Page: e.Page, Date: e.Date.String(), Device: e.Device, Bot: e.Bot, Dead: e.Dead,
		Repeat: e.Repeat, DeadAt: e.DeadAt, RageAt: e.RageAt, Visitor: e.Visitor, Sampled: e.Sampled,
	}
}

func eventsOf(s *Stream, chunks []heatmap.Chunk) []told {
	var events []told
	for i := range chunks {
		s.Events(&chunks[i], func(e *Event) { events = append(events, tellEvent(e)) })
	}
	return events
}

func mustParseRules(t testing.TB, text string) *Rules {
	t.Helper()
	r, err := ParseRules([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const streamTestRules = `
urls:
  groups:
    - {match: https://x.example/p/*, page: https://x.example/p/:id}
exclude: [visitor == "excluded"]
sites:
  prague: {timezone: Europe/Prague}
`

// streamVariants are rules with other ways to derive hits.
func streamVariants() map[string]string {
	return map[string]string{
		"plain":         streamTestRules,
		"pairs":         streamTestRules + "rage: {clicks: 2, radius: 6, window: 300}\n",
		"fours":         streamTestRules + "rage: {clicks: 4, radius: 16, window: 1500}\n",
		"eights":        streamTestRules + "rage: {clicks: 8, radius: 100, window: 60000}\n",
		"dead log":      streamTestRules + "dead: {from: log, window: 150}\n",
		"repeat clicks": streamTestRules + "repeat_clicks: {window: 500, radius: 10}\n",
		"all":           streamTestRules + "dead: {from: log, window: 100}\nrepeat_clicks: {window: 300, radius: 8}\nrage: {clicks: 2}\n",
	}
}

func TestStreamAgainstModel(t *testing.T) {
	for name, rules := range streamVariants() {
		t.Run(name, func(t *testing.T) {
			r := mustParseRules(t, rules)
			bursts, dead, repeats, counted, all := 0, 0, 0, 0, 0
			for seed := range uint64(40) {
				log := randomLog(rand.New(rand.NewPCG(seed, 1)), 60)
				want := naiveEvents(t, r, log)
				stream := NewStream(r, nil, StreamOptions{})
				got := eventsOf(stream, log)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d: events (-want +got):\n%s", seed, diff)
				}
				counted += len(got)
				all += int(log[len(log)-1].End() - log[0].Position)
				repeats += int(stream.Stats().RepeatedClicks)
				for _, e := range got {
					bursts += len(e.RageAt) / r.rage.clicks
					dead += len(e.DeadAt)
				}
			}
			t.Logf("%d of %d hits, %d bursts, %d dead clicks, %d repeats", counted, all, bursts, dead, repeats)
			if bursts < 3 || counted < all/5 || counted > all*3/4 || r.dead.fromLog != (dead > 100) || (r.repeat.window > 0) != (repeats > 100) {
				t.Error("the random logs are dull")
			}
		})
	}
}

// TestStreamWarmUp checks that a stream that begins as far before a position as warmFrom says gives the same from there
// on as one that has read everything, for every position.
func TestStreamWarmUp(t *testing.T) {
	for name, rules := range streamVariants() {
		t.Run(name, func(t *testing.T) {
			r := mustParseRules(t, rules)
			for seed := range uint64(4) {
				checkWarmUp(t, r, seed)
			}
		})
	}
}

func checkWarmUp(t *testing.T, r *Rules, seed uint64) {
	t.Helper()
	log := randomLog(rand.New(rand.NewPCG(seed, 2)), 60)
	want := eventsOf(NewStream(r, nil, StreamOptions{}), log)
	for cut := log[0].Position; cut < log[len(log)-1].End(); cut++ {
		got := eventsFrom(t, NewStream(r, nil, StreamOptions{}), log, cut)
		from := slices.IndexFunc(want, func(e told) bool { return e.Position >= cut })
		if from < 0 {
			from = len(want)
		}
		if len(got)+from != len(want) || from < len(want) && !reflect.DeepEqual(got, want[from:]) {
			t.Fatalf("seed %d, cut at %d: events (-want +got):\n%s", seed, cut, cmp.Diff(want[from:], got))
		}
	}
}

// eventsFrom gives the events from cut on of a stream that starts there.
func eventsFrom(t *testing.T, s *Stream, log []heatmap.Chunk, cut uint64) []told {
	at := slices.IndexFunc(log, func(c heatmap.Chunk) bool { return c.End() > cut })
	source := newMemLog()
	source.chunks = log
	since, err := warmFrom(source, log[at].Appended)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.IndexFunc(log, func(c heatmap.Chunk) bool { return c.Position >= since })
	for i := first; i < at; i++ {
		s.Warm(&log[i])
	}
	events := eventsOf(s, log[at:])
	return slices.DeleteFunc(events, func(e told) bool { return e.Position < cut })
}

func oneHit(appended int64, position uint64, batchID, hitID string) heatmap.Chunk {
	h := heatmap.Hit{Time: appended, Site: "s", URL: "https://x.example/", ID: hitID, Kind: heatmap.KindView}
	return heatmap.Chunk{
		Position: position, Appended: appended, Count: 1,
		Batches: []heatmap.Batch{{Site: "s", ID: batchID, Hits: []heatmap.Hit{h}}},
	}
}

// TestStreamBuckets checks at which distance a batch still repeats another, with others at given times between.
func TestStreamBuckets(t *testing.T) {
	f := func(repeat bool, first, second int64, between ...int64) {
		t.Helper()
		for _, ids := range [][2]string{{"b", ""}, {"", "h"}} {
			log := []heatmap.Chunk{oneHit(first, 0, ids[0], ids[1])}
			for i, at := range between {
				log = append(log, oneHit(at, uint64(i+1), "", ""))
			}
			log = append(log, oneHit(second, uint64(len(log)), ids[0], ids[1]))
			got := eventsOf(NewStream(DefaultRules(), nil, StreamOptions{}), log)
			if is := len(got) < len(log); is != repeat {
				t.Errorf("appended at %d and %d, others at %d: a repeat is %t, want %t", first, second, between, is, repeat)
			}
		}
	}
	const b = bucketMillis
	f(true, 10*b, 10*b)
	f(true, 10*b, 11*b-1)
	f(true, 10*b, 11*b)
	f(true, 10*b, 12*b-1, 11*b)
	f(false, 10*b, 12*b, 11*b)
	f(false, 11*b-1, 12*b, 12*b-1)
	f(true, 10*b, 12*b) // nothing came for ten minutes
	f(true, 10*b, 20*b) // or for long, or the clock jumped
	f(true, 10*b, 20*b, 10*b, 11*b-1, 20*b)
	f(true, 10*b, 2000*b)
	f(false, 10*b, 20*b, 11*b)
	f(false, 10*b, 20*b, 19*b)
	f(false, 10*b, 21*b, 20*b)
	f(true, -b, -1)
	f(true, -b-1, 0)
	f(false, -b-1, 0, -1)
	f(true, -1, 0)
}

// TestStreamClicksOverGap checks that clicks are forgotten over a gap, as rage/1, dead-log/1 and repeat-clicks/1 say, and
// repeats are not.
func TestStreamClicksOverGap(t *testing.T) {
	hit := func(appended int64, position uint64, kind heatmap.Kind, ms int64) heatmap.Chunk {
		c := oneHit(appended, position, fmt.Sprint(position), "")
		h := &c.Batches[0].Hits[0]
		h.Time, h.Kind, h.View = 1_770_000_000_000+ms, kind, "v"
		return c
	}
	f := func(last int64, want bool) {
		t.Helper()
		for rules, third := range map[string]heatmap.Chunk{
			"":                                       hit(last, 2, heatmap.KindClick, 0),
			"{dead: {from: log}, rage: {clicks: 8}}": hit(last, 2, heatmap.KindMove, 3000),
			"{repeat_clicks: {window: 400}, rage: {clicks: 8}}": hit(last, 2, heatmap.KindClick, 800),
		} {
			s, found := NewStream(mustParseRules(t, rules), nil, StreamOptions{}), 0
			for _, c := range []heatmap.Chunk{hit(0, 0, heatmap.KindClick, 0), hit(1, 1, heatmap.KindClick, 500), third} {
				s.Events(&c, func(e *Event) { found += len(e.RageAt) + len(e.DeadAt) })
			}
			if found += int(s.Stats().RepeatedClicks); found > 0 != want {
				t.Errorf("%s: last hit appended at %d: %d derived, want some %t", rules, last, found, want)
			}
		}
	}
	f(bucketMillis, true)
	f(2*bucketMillis-1, true)
	f(2*bucketMillis, false)
	f(9*bucketMillis, false)
}

func TestStreamKeepsBatchAwayWhileItIsSent(t *testing.T) {
	var log []heatmap.Chunk
	for i := range int64(10) {
		log = append(log, oneHit(i*bucketMillis, uint64(i), "b", ""))
	}
	s := NewStream(DefaultRules(), nil, StreamOptions{})
	if got := eventsOf(s, log); len(got) != 1 {
		t.Errorf("%d hits count, want 1", len(got))
	}
	if got := s.Stats(); got.Hits != 1 || got.RepeatedBatches != 9 || got.RepeatedHits != 9 {
		t.Errorf("stats %+v, want 1 hit and 9 repeats", got)
	}
}

// TestStreamHitOfDroppedBatch checks that a hit in a batch that was dropped can still count when it comes in another.
func TestStreamHitOfDroppedBatch(t *testing.T) {
	const b = bucketMillis
	s := NewStream(DefaultRules(), nil, StreamOptions{})
	log := []heatmap.Chunk{oneHit(0, 0, "b", "h0"), oneHit(b, 1, "b", "h1"), oneHit(b, 2, "c", "h1"), oneHit(b, 3, "d", "h1")}
	got := eventsOf(s, log)
	if len(got) != 2 || got[1].Position != 2 {
		t.Errorf("events %+v, want those of positions 0 and 2", got)
	}
}

// TestStreamWarmUpOverDroppedBatch begins behind a click that counts although a batch that was dropped had it before, and
// that belongs to a burst.
func TestStreamWarmUpOverDroppedBatch(t *testing.T) {
	var log []heatmap.Chunk
	add := func(appended int64, batchID, hitID string) {
		c := oneHit(appended, uint64(len(log)), batchID, hitID)
		h := &c.Batches[0].Hits[0]
		h.Time, h.Kind, h.View, h.X = 0, heatmap.KindClick, "v", uint16(400*min(len(log), 1)) // the first is elsewhere
		log = append(log, c)
	}
	add(0, "b", "h0")
	add(bucketMillis, "b", "h1")
	add(bucketMillis, "c", "h1")
	add(bucketMillis, "d", "h2")
	add(bucketMillis, "e", "h3")
	want := eventsOf(NewStream(DefaultRules(), nil, StreamOptions{}), log)
	got := eventsFrom(t, NewStream(DefaultRules(), nil, StreamOptions{}), log, 3)
	if len(want) != 4 || want[3].RageAt == nil || !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("events from 3 on %+v, of all %+v", got, want)
	}
}

func TestStreamFull(t *testing.T) {
	s := NewStream(DefaultRules(), nil, StreamOptions{MaxBytes: 64 << 10})
	const start = 100 * bucketMillis
	if s.Full(start) {
		t.Fatal("an empty stream is full")
	}
	n := uint64(0)
	fill := func(appended int64) {
		t.Helper()
		first := n
		for ; !s.Full(appended) && n < 1<<20; n++ {
			c := oneHit(appended, n, fmt.Sprint(n), "")
			s.Events(&c, func(*Event) {})
		}
		if got := n - first; got < 2500 || got > 32<<10/8 {
			t.Errorf("half of 64 KiB is full after %d batches", got)
		}
	}
	check := func(bucket int64) {
		t.Helper()
		for at, want := range map[int64]bool{
			0: true, bucket - bucketMillis: true, bucket: true, bucket + bucketMillis - 1: true,
			bucket + bucketMillis: false, bucket + 2*bucketMillis: false, bucket + 900*bucketMillis: false,
		} {
			if got := s.Full(at); got != want {
				t.Errorf("full %d ms after the bucket began: %t, want %t", at-bucket, got, want)
			}
		}
	}
	fill(start)
	check(start)
	for _, bucket := range []int64{start + bucketMillis, start + 50*bucketMillis} { // each has its half, also behind a gap
		fill(bucket)
		check(bucket)
		if held := s.Stats().RepeatBytes; held < 32<<10 || held > 96<<10 {
			t.Errorf("%d bytes are held, want 32 to 64 KiB, and 32 by which a table is about to grow", held)
		}
	}
}

func TestStreamStats(t *testing.T) {
	r := mustParseRules(t, "exclude: ['tags[0] == \"x\"', 'kind == \"move\"', x > 5]")
	hit := func(k heatmap.Kind, x uint16, tags ...string) heatmap.Hit {
		return heatmap.Hit{Time: 1_767_225_600_000, Site: "s", URL: "https://x.example/", Kind: k, X: x, Tags: tags, UserAgent: "curl/8"}
	}
	hits := []heatmap.Hit{
		hit(heatmap.KindView, 0), hit(heatmap.KindMove, 9), hit(heatmap.KindClick, 9, "x"), hit(heatmap.KindClick, 9, "y"), hit(heatmap.KindClick, 5, "y"),
	}
	s := NewStream(r, nil, StreamOptions{})
	s.Events(&heatmap.Chunk{Count: 5, Batches: []heatmap.Batch{{Hits: hits}}}, func(*Event) {})
	want := StreamStats{Hits: 2, Bots: 2, Excluded: 3, ExcludedBy: []uint64{0, 1, 1, 1, 0}, ExprErrors: 2}
	if diff := cmp.Diff(want, s.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestStreamZone(t *testing.T) {
	zone := time.FixedZone("ahead", 5*3600+45*60)
	s := NewStream(mustParseRules(t, "sites: {ruled: {timezone: America/New_York}}"), func(site string) *time.Location {
		return map[string]*time.Location{"own": zone, "ruled": zone}[site]
	}, StreamOptions{})
	at := time.Date(2026, 3, 1, 0, 30, 0, 0, time.UTC).UnixMilli()
	var dates []string
	var b heatmap.Batch
	for _, site := range []string{"own", "ruled", "none", "own"} {
		b.Hits = append(b.Hits, heatmap.Hit{Time: at - 3_600_000, Site: site, URL: "https://x.example/", Kind: heatmap.KindView})
		b.Hits = append(b.Hits, heatmap.Hit{Time: at, Site: site, URL: "https://x.example/", Kind: heatmap.KindView})
	}
	s.Events(&heatmap.Chunk{Count: 8, Batches: []heatmap.Batch{b}}, func(e *Event) { dates = append(dates, e.Date.String()) })
	want := []string{"2026-03-01", "2026-03-01", "2026-02-28", "2026-02-28", "2026-02-28", "2026-03-01", "2026-03-01", "2026-03-01"}
	if diff := cmp.Diff(want, dates); diff != "" {
		t.Errorf("dates (-want +got):\n%s", diff)
	}
}
