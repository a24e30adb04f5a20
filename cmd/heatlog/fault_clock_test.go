package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/collector"
	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// clockRig is a server's parts, from the collector to the store, on a clock that a test moves.
type clockRig struct {
	t       *testing.T
	dir     dataDir
	at      atomic.Int64 // Unix ms
	journal *journal.Journal
	store   *pebblestore.Store
	index   *index.Index
	taker   *collector.Collector
	next    int
	zone    string         // of the site, "" = UTC
	from    netip.Addr     // that batches come from
	want    map[string]int // hits by day in UTC
}

func (r *clockRig) now() time.Time { return time.UnixMilli(r.at.Load()) }

// open starts the parts.
func (r *clockRig) open() {
	r.t.Helper()
	sites, err := r.dir.openSites()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := sites.Put(heatmap.Site{Key: faultSite, Origins: []string{"https://fault.example"}, Timezone: r.zone}); err != nil {
		r.t.Fatal(err)
	}
	keep, err := openSalts(r.dir.salts(), r.now, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	// a process that another test starts holds the lock of the journal of before, from its fork to its exec
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if r.journal, err = journal.Open(r.dir.journal(), journal.Options{Now: r.now}); err == nil {
			break
		}
		if !errors.Is(err, journal.ErrLocked) || time.Now().After(end) {
			r.t.Fatal(err)
		}
	}
	if r.store, err = pebblestore.Open(r.dir.store(), pebblestore.Options{}); err != nil {
		r.t.Fatal(err)
	}
	r.index, err = index.Open(r.t.Context(), index.Options{
		Store: r.store, Source: index.JournalSource(r.journal, nil), Zone: sites.Zone, Now: r.now,
		FlushEvery: 20 * time.Millisecond, CheckpointEvery: 20 * time.Millisecond,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.taker = collector.New(collector.Options{Journal: r.journal, Sites: sites, Now: r.now, Admit: r.index.Admit, Salt: keep.of,
		ClientIP: func(*fasthttp.RequestCtx) netip.Addr { return r.from }})
}

// close ends the parts, in order or as a crash does to the index: without storing anything.
func (r *clockRig) close(inOrder bool) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if !inOrder {
		cancel()
	}
	err := r.index.Close(ctx)
	cancel()
	if inOrder && err != nil {
		r.t.Fatal(err)
	}
	if err := r.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.journal.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// send sends a batch of one click in a cell of its own.
func (r *clockRig) send(batch int) {
	r.t.Helper()
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/v1/in")
	ctx.Request.Header.Set("Origin", "https://fault.example")
	ctx.Request.Header.SetContentType("text/plain")
	ctx.Request.Header.SetUserAgent(benchAgent)
	ctx.Request.SetBodyString(fmt.Sprintf(`{"site":"fault","url":"https://fault.example/","view":"v","b":"b%d","hits":[{"age":0,"kind":"click","x":%d,"y":0,"vw":1280,"vh":720}]}`, batch, batch*8))
	r.taker.In(&ctx)
	if status := ctx.Response.StatusCode(); status != 204 {
		r.t.Fatalf("batch %d at %v: status %d: %s", batch, r.now().UTC(), status, ctx.Response.Body())
	}
}

// batches sends new batches and at once each again.
func (r *clockRig) batches(n int) {
	r.t.Helper()
	for range n {
		r.send(r.next)
		r.send(r.next)
		r.next++
		r.want[r.now().UTC().Format("2006-01-02")]++
		r.at.Add(100)
	}
}

// check compares what is counted by day, and looks at the append times.
func (r *clockRig) check(when string) {
	r.t.Helper()
	for r.index.Lag() > 0 {
		time.Sleep(time.Millisecond)
	}
	total, day := 0, heatmap.Query{Site: faultSite, URL: "https://fault.example/"}
	for name, want := range r.want {
		at, err := time.Parse("2006-01-02", name)
		if err != nil {
			r.t.Fatal(err)
		}
		date := heatmap.DateOf(at.UnixMilli(), time.UTC)
		day.From, day.To = heatmap.Bound{Set: true, IsDate: true, Date: date}, heatmap.Bound{Set: true, IsDate: true, Date: date}
		a, err := r.index.Heatmap(r.t.Context(), day)
		if err != nil || int(a.Hits) != want || len(a.Points) != want {
			r.t.Errorf("%s: %s has %d hits in %d cells, %v; want %d", when, name, a.Hits, len(a.Points), err, want)
		}
		total += want
	}
	day.From, day.To = heatmap.Bound{}, heatmap.Bound{}
	if a, err := r.index.Heatmap(r.t.Context(), day); err != nil || int(a.Hits) != total {
		r.t.Errorf("%s: %d hits on all days, %v; want %d", when, a.Hits, err, total)
	}
	reader, err := r.journal.Read(0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	var c heatmap.Chunk
	for last := int64(0); c.End() < r.journal.Durable(); last = c.Appended {
		if err := reader.Next(r.t.Context(), &c); err != nil {
			r.t.Fatal(err)
		}
		if c.Appended < last {
			r.t.Errorf("%s: position %d was appended at %d, after one at %d", when, c.Position, c.Appended, last)
		}
	}
}

// TestFaultClockJumps moves the clock by an hour and by a day, forth and back, with hits before and after and restarts
// between: every hit counts once on the day that the clock said when it was sent first, append times never go back, and a
// visitor of a day is the same one after the clock went away and came back.
func TestFaultClockJumps(t *testing.T) {
	t.Parallel()
	row := journaltest.Begin(t, "clock jumps", 4*3*4, 0)
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour} {
		for _, restart := range []string{"", "stop", "crash"} {
			t.Run(fmt.Sprint(jump, restart), func(t *testing.T) {
				start := time.Date(2026, 3, 3, 23, 30, 0, 0, time.UTC)
				r := &clockRig{t: t, dir: dataDir(filepath.Join(t.TempDir(), "data")), want: map[string]int{}}
				if err := r.dir.create(); err != nil {
					t.Fatal(err)
				}
				r.at.Store(start.UnixMilli())
				r.open()
				r.batches(20)
				for n, by := range []time.Duration{jump, -jump, jump, -jump} {
					r.at.Add(by.Milliseconds())
					if restart != "" {
						r.close(restart == "stop")
						r.open()
					}
					for batch := r.next - 20; batch < r.next; batch++ {
						r.send(batch) // sent before the clock was set, and again after
					}
					r.batches(20)
					r.check(fmt.Sprintf("jump %d by %v", n, by))
					row.Done(1)
				}
				all := heatmap.Query{Site: faultSite, URL: "https://fault.example/"}
				a, err := r.index.Heatmap(t.Context(), all)
				if err != nil || int(a.Visitors) != len(r.want) {
					t.Errorf("%d visitors, %v; want one on each of %d days", a.Visitors, err, len(r.want))
				}
				r.close(true)
			})
		}
	}
}
