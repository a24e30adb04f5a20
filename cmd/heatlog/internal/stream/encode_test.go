package stream_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
)

// line is an import line, and a hit of a batch, as API.md names the members.
type line struct {
	T, Age                                  int64
	Site, URL, Kind, Sel, View, Visitor, UA string
	X, Y, VW, VH, DW, DH, Depth, From       int
	Dwell, BW, BH, Check                    int
	Layout                                  uint32
	AX, AY                                  float64
	Fixed, Dead                             bool
	Trusted                                 *bool
	Pointer, ID                             string
	Tags                                    []string
}

// hit is the hit that a server takes l for.
func (l *line) hit() heatmap.Hit {
	kind, _ := heatmap.ParseKind(l.Kind)
	pointer, _ := heatmap.ParsePointer(l.Pointer)
	h := heatmap.Hit{
		Time: l.T, Site: l.Site, URL: l.URL, Kind: kind, Selector: l.Sel, View: l.View, Visitor: l.Visitor, UserAgent: l.UA, ID: l.ID,
		X: uint16(l.X), Y: uint16(l.Y), ViewportW: uint16(l.VW), ViewportH: uint16(l.VH), DocumentW: uint16(l.DW), DocumentH: uint16(l.DH),
		Depth: uint16(l.Depth), From: uint16(l.From), Dwell: uint32(l.Dwell), BoxW: uint16(l.BW), BoxH: uint16(l.BH),
		Check: uint16(l.Check), HasCheck: l.Sel != "", Layout: l.Layout, Pointer: pointer, Tags: l.Tags,
		AnchorX: uint32(math.Round(l.AX * heatmap.AnchorUnit)), AnchorY: uint32(math.Round(l.AY * heatmap.AnchorUnit)),
	}
	if l.Fixed {
		h.Flags |= heatmap.FlagFixed
	}
	if l.Dead {
		h.Flags |= heatmap.FlagDead
	}
	if l.Trusted != nil && !*l.Trusted {
		h.Flags |= heatmap.FlagUntrusted
	}
	return h
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

func sameHit(t *testing.T, got, want heatmap.Hit) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		t.Fatalf("hit reads as\n%s, want\n%s", g, w)
	}
}

func TestLines(t *testing.T) {
	var buf []byte
	each(stream.Options{Seed: 5}, 20_000, func(_ *stream.Stream, b *heatmap.Batch) {
		buf = stream.AppendLines(buf[:0], b)
		lines := bytes.SplitAfter(buf, []byte("\n"))
		if len(lines) != len(b.Hits)+1 || len(lines[len(b.Hits)]) != 0 {
			t.Fatalf("%d hits give %d lines", len(b.Hits), len(lines)-1)
		}
		for i := range b.Hits {
			var l line
			unmarshal(t, lines[i], &l)
			sameHit(t, l.hit(), b.Hits[i])
		}
	})
}

type body struct {
	Site, URL, View, B string
	Tags               []string
	Hits               []line
}

func TestBatchJSON(t *testing.T) {
	buf := []byte("before")
	each(stream.Options{Seed: 6}, 20_000, func(s *stream.Stream, b *heatmap.Batch) {
		buf = stream.AppendBatchJSON(buf[:6], b, s.Time())
		var got body
		unmarshal(t, buf[6:], &got)
		if got.Site != b.Site || got.B != b.ID || len(got.Hits) != len(b.Hits) || len(buf) > 256<<10 {
			t.Fatalf("batch %+v reads as %+v", b, got)
		}
		for i, l := range got.Hits {
			h := b.Hits[i]
			l.T, l.Site, l.URL, l.View, l.Tags, l.UA, l.Visitor = s.Time()-l.Age, got.Site, got.URL, got.View, got.Tags, h.UserAgent, h.Visitor
			sameHit(t, l.hit(), h)
		}
	})
}

// TestBatchJSONOdd has what the stream never makes.
func TestBatchJSONOdd(t *testing.T) {
	b := heatmap.Batch{Site: "s", ID: "b", Hits: []heatmap.Hit{
		{Time: 2000, URL: "https://a.example/\"é\\", View: "v", Kind: heatmap.KindClick, Selector: "a\n", AnchorX: 1, AnchorY: heatmap.AnchorUnit, HasCheck: true},
		{Time: 1000, URL: "https://a.example/2", View: "w", Kind: heatmap.KindClick, Selector: "b", AnchorX: heatmap.AnchorUnit - 1, AnchorY: 12345, HasCheck: true},
	}}
	var got body
	unmarshal(t, stream.AppendBatchJSON(nil, &b, 1500), &got)
	if got.URL != b.Hits[0].URL || got.Hits[1].URL != b.Hits[1].URL || got.Hits[1].View != "w" || got.Hits[0].Sel != "a\n" {
		t.Errorf("batch reads as %+v", got)
	}
	if got.Hits[0].Age != 0 || got.Hits[1].Age != 500 {
		t.Errorf("ages are %d and %d, want 0 and 500", got.Hits[0].Age, got.Hits[1].Age)
	}
	for i, l := range got.Hits {
		if h := l.hit(); h.AnchorX != b.Hits[i].AnchorX || h.AnchorY != b.Hits[i].AnchorY {
			t.Errorf("anchor of hit %d reads as %d, %d", i, h.AnchorX, h.AnchorY)
		}
	}
	if s := string(stream.AppendBatchJSON(nil, &heatmap.Batch{Site: "s", ID: "b"}, 0)); !strings.HasSuffix(s, `"hits":[]}`) {
		t.Errorf("a batch without hits is %s", s)
	}
}

func BenchmarkAppendBatchJSON(b *testing.B) {
	s := stream.New(stream.Options{Seed: 1})
	var batch heatmap.Batch
	for s.Next(&batch); len(batch.Hits) < 10; s.Next(&batch) {
	}
	buf := stream.AppendBatchJSON(nil, &batch, s.Time())
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		buf = stream.AppendBatchJSON(buf[:0], &batch, s.Time())
		n += len(batch.Hits)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "hits/s")
}
