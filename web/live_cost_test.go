package web

import (
	"runtime"
	"testing"

	"heatlog/heatmap"
)

// TestStalledCost measures what 1,000 subscribers take that do not ask for their messages while 100 versions go by, beyond the same
// subscribers before: nothing is queued for them.
func TestStalledCost(t *testing.T) {
	const many, most = 1000, 1024 // bytes for each
	d, f := liveDesk(t, nil)
	q := &liveQuestion{question: heatmap.Question{Ask: heatmap.AskHeatmap}}
	n := newNode(d.s.live, d.s.liveID(q), q) // without its goroutine
	if _, err := f.Keep(t.Context(), q.question); err != nil {
		t.Fatal(err)
	}
	k := f.last()
	for i := range 10_000 {
		k.add(heatmap.Point{X: 8 * (i % 100), Y: 8 * (i / 100), Weight: 1})
	}
	evaluate := func() {
		t.Helper()
		if err := n.evaluate(k); err != nil {
			t.Fatal(err)
		}
	}
	evaluate()
	reading, err := d.s.live.listen(n, caller{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	stalled := make([]*subscriber, many)
	for i := range stalled {
		if stalled[i], err = d.s.live.listen(n, caller{}, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range append(stalled, reading) {
		if m, _ := n.next(u); m == nil || u.version != n.version {
			t.Fatalf("the snapshot of version %d is %v", n.version, m)
		}
	}
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	change := func(times int) {
		for range times {
			for x := range 100 {
				k.hit(8*x, 0, 1)
			}
			evaluate()
			if m, _ := n.next(reading); m == nil {
				t.Fatal("who reads gets nothing")
			}
		}
	}
	change(1)
	k.log = append(make([]heatmap.Point, 0, 2*len(k.log)), k.log...) // grows no more
	before := used()
	change(90)
	grown := int64(used()) - int64(before)
	t.Logf("%d stalled subscribers take %d bytes each beyond idle ones", many, grown/many)
	if grown > many*most {
		t.Errorf("%d stalled subscribers take %d bytes more, at most %d each", many, grown, most)
	}
	var shared *liveMessage
	for _, u := range stalled { // the same larger patch for all
		m, _ := n.next(u)
		if m == nil || shared != nil && m != shared {
			t.Fatal("those who stand alike are sent different messages")
		}
		shared = m
	}
	for u := range d.s.live.streams {
		d.s.live.leave(u)
	}
}

// BenchmarkLivePatch has a map of a million cells of which some change, and 100 subscribers who stand alike.
func BenchmarkLivePatch(b *testing.B) {
	for _, changed := range []int{1, 100, 10_000} {
		b.Run(map[int]string{1: "1cell", 100: "100cells", 10_000: "10000cells"}[changed], func(b *testing.B) {
			d := newDesk(b, func(o *Options) { o.Live = newFakeLive() })
			q := &liveQuestion{question: heatmap.Question{Ask: heatmap.AskHeatmap}}
			n := newNode(d.s.live, d.s.liveID(q), q)
			h := &heatmap.Heatmap{Cell: 8}
			for i := range 1_000_000 {
				h.Points = append(h.Points, heatmap.Point{X: 8 * (i % 1000), Y: 8 * (i / 1000), Weight: 1})
			}
			n.answer.apply(&heatmap.Update{Heatmap: h, Whole: true, Complete: true}, 1)
			n.version = 1
			u := &heatmap.Update{Heatmap: &heatmap.Heatmap{Cell: 8, Points: h.Points[:changed]}, Complete: true}
			b.ReportAllocs()
			for b.Loop() {
				for i := range u.Heatmap.Points {
					u.Heatmap.Points[i].Weight++
				}
				n.answer.apply(u, n.version+1)
				n.version++
				clear(n.messages)
				for range 100 {
					n.message(n.version - 1)
				}
			}
		})
	}
}
