package web

import (
	"image"
	"image/png"
	"runtime"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

func TestPicture(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(more string, width, height int) {
		t.Helper()
		a := h.get("/v1/heatmap?site=shop&url=x&format=png"+more, "Accept-Encoding", "gzip")
		for name, want := range map[string]string{"Content-Type": "image/png", "Heatlog-Hits": "12", "Heatlog-Max": "9", "Heatlog-Noise-Hits": "0", "Heatlog-Generation": "g1",
			"Heatlog-Positions": "ja:181200,jb:7", "Content-Encoding": "", "Cache-Control": "no-store", "Heatlog-Why": ""} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%q: header %s is %q, want %q", more, name, got, want)
			}
		}
		img := a.picture(t, more, width, height)
		if img == nil {
			return
		}
		if _, _, _, alpha := img.At(4, 4).RGBA(); alpha == 0 {
			t.Errorf("%q: no colour at the centre of the cell (0, 0)", more)
		}
	}
	f("", 512+4+24, 1480+4+24)
	f("&radius=100", 512+4+100, 1480+4+100)
	f("&width=64&height=32", 64, 32)
	f("&width=64", 64, 1480+4+24)
}

// picture decodes an answer and fails unless it is so large. It is nil if the answer is no picture.
func (a answer) picture(t *testing.T, question string, width, height int) image.Image {
	t.Helper()
	img, err := png.Decode(strings.NewReader(a.body))
	if err != nil {
		t.Errorf("%q: %v in %.100q", question, err, a.body)
		return nil
	}
	if b := img.Bounds(); b.Dx() != width || b.Dy() != height {
		t.Errorf("%q: picture is %v, want %d x %d", question, b, width, height)
	}
	return img
}

// TestField reads the samples of a strip, and what the headers say of it.
func TestField(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(more string, width, height int, samples ...[3]int) {
		t.Helper()
		a := h.get("/v1/heatmap?site=shop&url=x&format=field" + more)
		for name, want := range map[string]string{"Content-Type": "image/png", "Heatlog-Hits": "12", "Heatlog-Max": "9", "Heatlog-Cells": "2", "Heatlog-Cell": "8", "Heatlog-Positions": "ja:181200,jb:7"} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%q: header %s is %q, want %q", more, name, got, want)
			}
		}
		img := a.picture(t, more, width, height)
		if img == nil {
			return
		}
		for _, s := range samples {
			if got := int(img.(*image.Gray).GrayAt(s[0], s[1]).Y); got != s[2] {
				t.Errorf("%q: sample %d, %d is %d, want %d", more, s[0], s[1], got, s[2])
			}
		}
	}
	f("", 135, 377, [3]int{1, 1, 85}, [3]int{129, 371, 255}, [3]int{7, 1, 0})
	f("&step=8&limit=1", 68, 189, [3]int{0, 0, 76}) // (1 - 32/576)² of a third
	f("&y0=1484&y1=1492&width=516", 129, 2, [3]int{128, 0, 241}, [3]int{128, 1, 227})
	f("&radius=100&width=4&y1=4", 1, 1, [3]int{0, 0, 84})
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=field&step=6"), 400, "bad_param", "step", "4 or 8")
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=field&y0=8&y1=8"), 400, "bad_param", "y1", "more than y0, which is 8")
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=field&height=8"), 400, "bad_param", "height", "goes with format=png alone")
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=png&y1=8"), 400, "bad_param", "y1", "goes with format=field alone")
	h.refused(h.get("/v1/heatmap?site=shop&url=x&width=8"), 400, "bad_param", "width", "goes with format=png and format=field alone")
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=field&minus_generation=g2"), 400, "bad_param", "format", "does not go with minus_generation")
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=field&width=65536&y1=65536"), 400, "bad_param", "y1", "limit 16777216", "give width, y0 and y1")
}

func TestEmptyPicture(t *testing.T) {
	r := newFakeReader()
	r.heatmap = &heatmap.Heatmap{Cell: 8, Why: &heatmap.Why{Reason: heatmap.WhyOnlyBots}}
	a := start(t, Options{Reader: r}).get("/v1/heatmap?site=shop&url=x&format=png&width=100&height=50")
	img, err := png.Decode(strings.NewReader(a.body))
	if err != nil || a.StatusCode != 200 || a.Header.Get("Heatlog-Why") != "only_bots" || a.Header.Get("Heatlog-Hits") != "0" {
		t.Fatalf("status %d, header %v, %v", a.StatusCode, a.Header, err)
	}
	for x := range 100 {
		if _, _, _, alpha := img.At(x, x/2).RGBA(); alpha != 0 {
			t.Fatalf("colour at %d, %d of an empty picture", x, x/2)
		}
	}
}

func TestBadPictures(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(more, field string, fragments ...string) {
		t.Helper()
		h.refused(h.get("/v1/heatmap?site=shop&url=x&format=png"+more), 400, "bad_param", field, fragments...)
	}
	f("&width=0", "width", "from 1 to 65536")
	f("&width=65537", "width", "from 1 to 65536")
	f("&height=0", "height", "from 1 to 65536")
	f("&height=-1", "height", "from 1 to 65536")
	f("&radius=7", "radius", "from 8 to 128")
	f("&radius=129", "radius", "from 8 to 128")
	f("&width=65536&height=65536", "height", "65536 x 65536 px", "limit 67108864 together; give width and height of the part of the page")
	f("&limit=100001", "limit", "from 0 to 100000")
}

// TestPicturesWait fills the places where pictures are drawn: one more waits for as long as a query may take.
func TestPicturesWait(t *testing.T) {
	h := start(t, Options{Reader: newFakeReader(), QueryTimeout: 20 * time.Millisecond})
	for range maxPictures {
		h.server.pictures <- struct{}{}
	}
	h.refused(h.get("/v1/heatmap?site=shop&url=x&format=png"), 503, "unavailable", "")
	<-h.server.pictures
	if a := h.get("/v1/heatmap?site=shop&url=x&format=png&width=9&height=9"); a.StatusCode != 200 {
		t.Errorf("with a place that is free: %d %s", a.StatusCode, a.body)
	}
	if n := len(h.server.pictures); n != maxPictures-1 {
		t.Errorf("%d places are taken after the picture", n)
	}
}

// TestMapsWait fills the places where maps are thinned and written: one more waits for as long as a query may take, and lists go on.
func TestMapsWait(t *testing.T) {
	if n := cap(New(Options{}).maps); n != 2*runtime.GOMAXPROCS(0) {
		t.Errorf("%d places where nothing is said, want two a core", n)
	}
	h := start(t, Options{Reader: newFakeReader(), QueryTimeout: 20 * time.Millisecond, MaxMaps: 3})
	for range 3 {
		h.server.maps <- struct{}{}
	}
	h.refused(h.get("/v1/heatmap?site=shop&url=x"), 503, "unavailable", "")
	if a := h.get("/v1/pages?site=shop"); a.StatusCode != 200 {
		t.Errorf("pages: %d %s", a.StatusCode, a.body)
	}
	<-h.server.maps
	if a := h.get("/v1/heatmap?site=shop&url=x"); a.StatusCode != 200 {
		t.Errorf("with a place that is free: %d %s", a.StatusCode, a.body)
	}
	if n := len(h.server.maps); n != 2 {
		t.Errorf("%d places are taken after the map", n)
	}
}
