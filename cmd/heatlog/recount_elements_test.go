package main

import (
	"fmt"
	"math"
	"testing"
)

// elementAnswer is an element as the server tells it.
type elementAnswer struct {
	Sel              string
	Check            *int
	Fixed            bool
	Hits, Rage, Dead int
	Share            float64
	Cells            [][3]float64
}

// name tells elements from each other.
func (e *elementAnswer) name() string { return elementName(e.Sel, e.Check) }

func elementName(sel string, check *int) string {
	if check == nil {
		return sel
	}
	return fmt.Sprintf("%s %d", sel, *check)
}

// compareElements compares the elements of a page one by one, and where inside them the hits were.
func compareElements(t *testing.T, when string, p *process, o *oracle, site, page, kind string, f filter) {
	t.Helper()
	var a struct {
		Hits, Anchored, Views int
		Elements              []elementAnswer
		Others                struct{ Elements, Hits, Unnamed int }
		Rest                  struct {
			Hits   int
			Points [][3]int
		}
	}
	query := f.query(site, page)
	query.Set("kind", kind)
	query.Set("limit", "0")
	query.Set("cells", "1")
	p.Ask("/v1/elements", query, &a)
	want := o.elements(site, page, kind, f)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: elements %s: %s", when, query.Encode(), fmt.Sprintf(format, args...))
	}
	if a.Hits != want.hits || a.Anchored != want.hits-want.rest || a.Views != want.views || a.Rest.Hits != want.rest || len(a.Elements) != len(want.elements) {
		fail("%d hits, %d anchored, %d views, rest %d, %d elements; recount %+v", a.Hits, a.Anchored, a.Views, a.Rest.Hits, len(a.Elements), want)
	}
	if a.Others.Elements+a.Others.Hits+a.Others.Unnamed > 0 {
		fail("%+v are left out", a.Others)
	}
	last := math.MaxInt
	for _, e := range a.Elements {
		w := want.elements[e.name()]
		if w == nil || e.Hits != w.hits || e.Rage != w.rage || e.Dead != w.dead || w.fixed && !e.Fixed || e.Fixed && !w.everFixed || e.Hits > last {
			fail("%+v, recount %+v", e, w)
			continue
		}
		last = e.Hits
		if !same(e.Share, float64(e.Hits)/float64(a.Hits), 1e-4) {
			fail("%s has share %v", e.name(), e.Share)
		}
		got := map[[2]float64]int{}
		for _, c := range e.Cells {
			got[[2]float64{c[0], c[1]}] += int(c[2])
		}
		for at, n := range w.cells {
			if got[at] != n {
				fail("%s has %d hits at %v, recount %d", e.name(), got[at], at, n)
			}
		}
		if len(got) != len(w.cells) {
			fail("%s has %d cells, recount %d", e.name(), len(got), len(w.cells))
		}
	}
	rest := map[cell]int{}
	for _, point := range a.Rest.Points {
		rest[cell{point[0], point[1]}] = point[2]
	}
	for at, n := range want.restCells {
		if rest[at] != n {
			fail("the rest has %d hits at %v, recount %d", rest[at], at, n)
		}
	}
}

// elementCount is what the oracle counts of an element.
type elementCount struct {
	hits, rage, dead int
	fixed, everFixed bool               // at a click that counts, or at one of the page at all
	cells            map[[2]float64]int // by the middle, as parts of the box
}

// elementCounts are those of a page.
type elementCounts struct {
	hits, rest, views int
	restCells         map[cell]int
	elements          map[string]*elementCount
}

// elements counts the hits of a kind by element.
func (o *oracle) elements(site, page, kind string, f filter) elementCounts {
	a := elementCounts{restCells: map[cell]int{}, elements: map[string]*elementCount{}}
	at := func(h *oracleHit) *elementCount {
		name := elementName(h.Sel, h.Check)
		if a.elements[name] == nil {
			a.elements[name] = &elementCount{cells: map[[2]float64]int{}}
		}
		return a.elements[name]
	}
	count := func(of string, h *oracleHit) {
		if of == kind {
			a.hits++
		}
		switch {
		case h.Sel == "" && of == kind:
			a.rest++
			a.restCells[cellOf(h)]++
		case h.Sel != "":
			e := at(h)
			switch of {
			case "rage":
				e.rage++
			case "dead":
				e.dead++
			}
			if of == kind {
				e.hits++
				e.cells[[2]float64{middleOfCell(h.AX, h.BW), middleOfCell(h.AY, h.BH)}]++
			}
		}
	}
	for _, h := range o.pages[site][page] {
		if h.Kind == "click" && h.Sel != "" && h.Fixed {
			at(h).everFixed = true
		}
		if !o.matches(h, f) {
			continue
		}
		switch h.Kind {
		case "view":
			a.views++
		case "click":
			count("click", h)
			if h.Sel != "" && h.Fixed {
				at(h).fixed = true
			}
			if h.Dead {
				count("dead", h)
			}
		}
		for _, c := range h.rage {
			count("rage", c)
		}
	}
	for name, e := range a.elements {
		if e.hits == 0 {
			delete(a.elements, name)
		}
	}
	return a
}

// middleOfCell gives the middle of the cell that a fraction of a side lies in. The side is cut into the least power of two of cells
// with which each is at most 4 px, at most 1,024, and into these if its size is not known.
func middleOfCell(fraction, side float64) float64 {
	cells := 1.0
	for cells < 1024 && (side == 0 || side/cells > 4) {
		cells *= 2
	}
	at := math.Floor(fraction*65536+0.5) / 65536
	return math.Round((min(math.Floor(at*cells), cells-1)+0.5)/cells*1e4) / 1e4
}
