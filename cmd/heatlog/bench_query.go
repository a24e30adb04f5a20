package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
)

// The width band that questions ask for is the one with most hits: telephones 390 to 412 px wide.
const (
	benchLow  = 384
	benchHigh = 415
)

// hotPage is the page with most hits.
func hotPage() string {
	_, url := stream.New(stream.Options{Seed: 1, Sites: 1, Pages: 1}).Page(0)
	return url
}

// hotQuestion asks for the exact clicks on the hottest page in one width band.
func hotQuestion() question {
	return mapOf(hotPage(), "vw", fmt.Sprintf("%d-%d", benchLow, benchHigh), "limit", "0")
}

// manyPages matches 1,111 of 2,000 pages: those whose number begins with 1.
const manyPages = "https://www.0.example/*/1*"

// timedQuestion is a question whose times are rows.
type timedQuestion struct {
	question
	p50, p99 rowID // "" = no row
	fresh    bool  // ask for another number of points each time, which nothing was prepared for
	share    int   // it is asked this many times less often
}

// runQuery asks about the set over HTTP, beside DuckDB.
func (b *bench) runQuery() error {
	set, err := b.theSet()
	if err != nil {
		return err
	}
	b.sizeRows(set)
	db, err := b.openDuckdb(b.Hits)
	if err != nil {
		b.fail("hot duckdb", err)
	} else {
		defer func() { _ = db.close() }() // it has answered all it was asked
	}
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	if err := b.askWarm(set, db); err != nil {
		return err
	}
	return b.askCold(set)
}

// askWarm asks a server that runs for a while.
func (b *bench) askWarm(set *benchSet, db *duckdb) (err error) {
	server, a, err := b.serveSet(set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := b.sameAnswer(a, db); err != nil {
		b.fail("hot duckdb", err)
		return err
	}
	hot := hotQuestion()
	asked := []timedQuestion{
		{question: hot, p50: "hot", p99: "hot p99"},
		{question: hot.with("format", "msgpack"), p50: "hot msgpack", p99: "hot msgpack p99"},
		{question: hot.with("limit", "4000"), p50: "hot thinned", p99: "hot thinned p99"},
		{question: hot.with("limit", "4000"), p50: "hot first", fresh: true, share: 4},
		{question: mapOf(manyPages, "limit", "0"), p50: "pattern exact", share: 10},
		{question: mapOf(manyPages, "limit", "4000"), p50: "pattern", fresh: true, share: 10},
		{question: mapOf(hotPage(), "format", "field"), p50: "hot field", share: 4},
	}
	before := server.cpuTime()
	for range b.Rounds {
		for _, q := range asked {
			if b.refused[q.p50] != nil {
				continue
			}
			times, err := b.askOften(a, q)
			if err != nil {
				b.fail(q.p50, err)
				if q.p99 != "" {
					b.fail(q.p99, err)
				}
				continue
			}
			b.sample(q.p50, median(times), 0)
			if q.p99 != "" {
				b.sample(q.p99, quantile(times, 0.99), 0)
			}
		}
		if db != nil {
			if err := b.askDuckdb(db); err != nil {
				return err
			}
		}
	}
	b.thinningErrors(a)
	b.note("questions took %.1f s of the server's CPU, peak memory %s", (server.cpuTime() - before).Seconds(), byteSize(server.peakRSS()))
	return nil
}

// thinningErrors has the server say how far thinned points are from the exact drawing.
func (b *bench) thinningErrors(a *asker) {
	for _, limit := range []string{"500", "1000", "4000"} {
		row := rowID("error " + limit)
		body, _, err := a.ask(mapOf(hotPage(), "limit", limit))
		var answer struct{ Error float64 }
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err != nil {
			b.fail(row, err)
			continue
		}
		b.sample(row, 100*answer.Error, 0)
	}
}

// askOften asks a question in one round and gives the times in ms, after one that does not count.
func (b *bench) askOften(a *asker, q timedQuestion) (times []float64, err error) {
	for i := range max(b.Asks/max(q.share, 1), 3) + 1 {
		ask := q.question
		if q.fresh {
			b.freshLimit++
			ask = ask.with("limit", strconv.Itoa(4000-b.freshLimit%2000))
		}
		_, took, err := a.ask(ask)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			times = append(times, ms(took))
		}
	}
	return times, nil
}

// ms gives a time in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// askDuckdb asks DuckDB the first question and sets the row of that beside it.
func (b *bench) askDuckdb(db *duckdb) error {
	var times []float64
	for i := range max(b.Asks/10, 3) + 1 {
		a, err := db.hot(hotPage(), benchLow, benchHigh, false)
		if err != nil {
			return err
		}
		if i > 0 {
			times = append(times, a.MS)
		}
	}
	ours := b.samples["hot"].values
	b.sample("hot duckdb", ours[len(ours)-1], median(times))
	return nil
}

// sameAnswer compares the cells of the first question with DuckDB's.
func (b *bench) sameAnswer(a *asker, db *duckdb) error {
	body, _, err := a.ask(hotQuestion())
	if err != nil {
		return err
	}
	var ours struct {
		Hits   int
		Points [][3]uint32
	}
	if err := json.Unmarshal(body, &ours); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	b.note("the hottest page has %d clicks in %d cells in the width band", ours.Hits, len(ours.Points))
	if len(ours.Points) == 0 {
		return errors.New("the hottest page has no hits")
	}
	if db == nil {
		return nil
	}
	theirs, err := db.hot(hotPage(), benchLow, benchHigh, true)
	if err != nil {
		return err
	}
	byPlace := func(p, q [3]uint32) int { return cmp.Or(cmp.Compare(p[1], q[1]), cmp.Compare(p[0], q[0])) }
	slices.SortFunc(ours.Points, byPlace)
	slices.SortFunc(theirs.Cells, byPlace)
	if !slices.Equal(ours.Points, theirs.Cells) {
		return fmt.Errorf("heatlog counts %d cells, DuckDB %d, and they are not the same", len(ours.Points), len(theirs.Cells))
	}
	return nil
}

// coldStarts is how often a server is started anew for the first question to it.
const coldStarts = 5

// askCold asks a server that was just started, without the set's files in the system's cache.
func (b *bench) askCold(set *benchSet) error {
	if err := dropCached(string(set.data)); err != nil {
		b.fail("hot cold", err)
		return nil
	}
	for range coldStarts {
		if err := dropCached(string(set.data)); err != nil {
			return err
		}
		server, a, err := b.serveSet(set)
		if err != nil {
			return err
		}
		_, took, err := a.ask(hotQuestion())
		if err := errors.Join(err, server.stop()); err != nil {
			return err
		}
		b.sample("hot cold", ms(took), 0)
	}
	return nil
}

// dropCached has the system forget what it has read of the files in a folder.
func dropCached(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if out, err := exec.Command("dd", "if="+name, "iflag=nocache", "count=0").CombinedOutput(); err != nil {
			return fmt.Errorf("empty the system's cache with dd: %w: %s", err, oneLine(string(out)))
		}
		return nil
	})
}

// sizeRows adds the bytes that a hit takes.
func (b *bench) sizeRows(set *benchSet) {
	// MonkeyTracker's figures, bytes a hit.
	const (
		monkeyTrackerData  = 30
		monkeyTrackerIndex = 15
		monkeyTrackerHits  = 13 // in a document
		monkeyTracker      = monkeyTrackerData + monkeyTrackerIndex
	)
	hits := float64(set.hits)
	b.sample("blobs", float64(set.stored.days+set.stored.months)/hits, monkeyTracker)
	b.sample("blobs days", float64(set.stored.days)/hits, monkeyTracker)
	b.sample("mongodb documents", float64(set.stored.mongoDocs)/hits, monkeyTrackerData)
	b.sample("mongodb index", float64(set.stored.mongoIDs)/hits, monkeyTrackerIndex)
	b.sample("mongodb hits", hits/float64(set.stored.docs), monkeyTrackerHits)
	b.sample("journal active", float64(set.active)/hits, 0)
	b.sample("journal sealed", float64(set.sealed)/hits, 0)
}
