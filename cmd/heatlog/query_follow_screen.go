package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"golang.org/x/term"

	"heatlog/heatmap"
)

// Size of what a terminal shows.
const (
	screenRows  = 12 // of an answer's rows
	screenWidth = 79 // columns
	barWidth    = 24 // of the progress of history
)

// newShown gives what shows the messages of a stream: each as a line, or on a terminal the answer as it is.
func newShown(w io.Writer, kind string, query url.Values) (show func(*liveMessage) error) {
	if file, ok := w.(*os.File); ok && isTerminal(file) {
		s := newLiveScreen(w, kind, query)
		s.size = func() (columns, rows int) { return terminalSize(file) }
		return s.show
	}
	return func(m *liveMessage) error {
		if _, err := fmt.Fprintf(w, "%s\n", m.raw); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		return nil
	}
}

// liveScreen is an answer on a terminal, drawn over in place.
type liveScreen struct {
	w      io.Writer
	kind   string
	what   string                     // that was asked
	size   func() (columns, rows int) // of the terminal
	lines  int                        // that are drawn
	state  string
	facts  liveFacts
	points map[[2]int]uint64
	rows   map[string]liveRow
	bands  map[int]float64
}

// liveFacts are the members of a message that a terminal shows.
type liveFacts struct {
	Event                 string
	Reason                string
	Positions             map[string]uint64
	Lag                   uint64 `json:"lag_hits"`
	Complete              bool
	Hits, Views, Visitors *uint64
	Points                [][3]uint64
	Elements, Pages       []liveRow
	Buckets               []liveRow
	Reach                 [][2]float64
	Gone                  []json.RawMessage
	History               *struct {
		Done, Total uint64
		Share       float64
		Speed       float64 `json:"hits_per_s"`
		ETA         float64 `json:"eta_ms"`
	}
}

// liveRow is an element, a page or a bucket.
type liveRow struct {
	Sel                     string
	Check                   *uint64
	Fixed                   bool
	URL                     string
	Start, End              string
	Hits                    uint64
	Views, Clicks, Visitors *uint64
	Rage, Dead              uint64
}

func (r *liveRow) key() string {
	if r.Sel == "" {
		return r.URL + r.Start
	}
	check := "-"
	if r.Check != nil {
		check = fmt.Sprint(*r.Check)
	}
	return fmt.Sprintf("%s\x00%s\x00%v", r.Sel, check, r.Fixed)
}

// name is what the row is of. Elements of one selector are told apart where there are several.
func (r *liveRow) name(several bool) string {
	switch {
	case r.End != "":
		return r.Start + " to " + r.End
	case r.Sel == "" || !several:
		return cmp.Or(r.Sel, r.URL, r.Start)
	}
	name := r.Sel
	if r.Check != nil {
		name += fmt.Sprintf(" #%d", *r.Check)
	}
	if r.Fixed {
		name += " fixed"
	}
	return name
}

func newLiveScreen(w io.Writer, kind string, query url.Values) *liveScreen {
	s := &liveScreen{w: w, kind: kind, size: usualSize, what: strings.TrimSpace(kind + " of " + query.Get("site") + " " + query.Get("url"))}
	s.clear()
	return s
}

func (s *liveScreen) clear() {
	s.points, s.rows, s.bands = map[[2]int]uint64{}, map[string]liveRow{}, map[int]float64{}
}

// show takes a message in and draws what is known.
func (s *liveScreen) show(m *liveMessage) error {
	var facts liveFacts
	if err := json.Unmarshal(m.raw, &facts); err != nil {
		return fmt.Errorf("read message %.60q: %w", m.raw, err)
	}
	switch facts.Event {
	case "snapshot":
		s.clear()
		s.take(&facts)
	case "patch":
		s.take(&facts)
	case "progress":
		s.facts.Positions, s.facts.Lag, s.facts.Complete = facts.Positions, facts.Lag, facts.Complete
	case "reset":
		s.clear()
	}
	s.state = stateOf(&facts)
	return s.draw()
}

// take brings rows up to date.
func (s *liveScreen) take(f *liveFacts) {
	s.facts = *f
	for _, p := range f.Points {
		if at := [2]int{int(p[0]), int(p[1])}; p[2] == 0 {
			delete(s.points, at)
		} else {
			s.points[at] = p[2]
		}
	}
	for _, list := range [][]liveRow{f.Elements, f.Pages, f.Buckets} {
		for _, r := range list {
			s.rows[r.key()] = r
		}
	}
	for _, raw := range f.Gone {
		var r liveRow
		var key string
		if json.Unmarshal(raw, &key) != nil && json.Unmarshal(raw, &r) == nil {
			key = r.key()
		}
		delete(s.rows, key)
	}
	for _, b := range f.Reach {
		s.bands[int(b[0])] = b[1]
	}
}

// stateOf is the line that says how far the answer is.
func stateOf(f *liveFacts) string {
	switch {
	case f.Event == "bye":
		return "○ " + f.Reason
	case f.Event == "reset":
		return "○ begins anew: " + f.Reason
	case f.History != nil:
		full := int(f.History.Share * barWidth)
		return fmt.Sprintf("◐ %s%s %3.0f %% of %s hits, %s/s, %s left", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*f.History.Share,
			heatmap.Grouped(f.History.Total), heatmap.Grouped(uint64(f.History.Speed)), time.Duration(f.History.ETA*1e6).Round(time.Second))
	case !f.Complete:
		return "◐ reading the log"
	}
	below := uint64(0)
	for _, n := range f.Positions {
		below += n
	}
	return fmt.Sprintf("● live · hits below %s of %s · %s behind", heatmap.Grouped(below), numbered(uint64(len(f.Positions)), "sources"), heatmap.Grouped(f.Lag))
}

// usualSize is taken for that of a terminal that does not tell.
func usualSize() (columns, rows int) { return screenWidth + 1, screenRows + 4 }

// terminalSize asks a terminal for its size.
func terminalSize(f *os.File) (columns, rows int) {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 2 || rows < 2 {
		return usualSize()
	}
	return columns, rows
}

// draw draws all lines over those that are there. No line may break and none may leave the terminal, or it could not be drawn over.
func (s *liveScreen) draw() error {
	columns, rows := s.size()
	lines := append([]string{s.what, s.totals()}, s.table()...)
	lines = append(lines[:min(len(lines), max(rows-2, 0))], s.state)
	var b bytes.Buffer
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines)
	}
	b.WriteString("\r\x1b[J")
	for _, line := range lines {
		b.WriteString(cutTo(line, min(columns-1, screenWidth)) + "\n")
	}
	s.lines = len(lines)
	if _, err := s.w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write screen: %w", err)
	}
	return nil
}

// cutTo cuts a line that is too wide, and leaves out what would move the cursor.
func cutTo(line string, columns int) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, line)
	if uniseg.StringWidth(line) <= columns {
		return line
	}
	width, end := 0, 0
	for whole := uniseg.NewGraphemes(line); whole.Next(); {
		if width += whole.Width(); width > columns-1 {
			break
		}
		_, end = whole.Positions()
	}
	return line[:end] + "…"
}

func (s *liveScreen) totals() string {
	var parts []string
	for _, n := range []struct {
		value *uint64
		name  string
	}{{s.facts.Hits, "hits"}, {s.facts.Views, "views"}, {s.facts.Visitors, "visitors"}} {
		if n.value != nil {
			parts = append(parts, numbered(*n.value, n.name))
		}
	}
	return strings.Join(parts, " · ")
}

// numbered writes a number of what name is the plural of.
func numbered(n uint64, name string) string {
	if n == 1 {
		name = strings.TrimSuffix(name, "s")
	}
	return heatmap.Grouped(n) + " " + name
}

// table is the greatest rows, or of a trend the last ones.
func (s *liveScreen) table() (lines []string) {
	switch s.kind {
	case "heatmap":
		return s.heaviest()
	case "scroll":
		return s.reached()
	}
	rows := make([]liveRow, 0, len(s.rows))
	for _, r := range s.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b liveRow) int {
		if s.kind == "trend" {
			return strings.Compare(b.Start, a.Start)
		}
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), strings.Compare(a.key(), b.key()))
	})
	rows = rows[:min(len(rows), screenRows)]
	alike := map[string]int{}
	for _, r := range rows {
		alike[r.Sel]++
	}
	for _, r := range rows {
		line := fmt.Sprintf("%12s  %s", heatmap.Grouped(r.Hits), r.name(alike[r.Sel] > 1))
		if r.Visitors != nil {
			line += "  " + numbered(*r.Visitors, "visitors")
		}
		lines = append(lines, line)
	}
	return lines
}

func (s *liveScreen) heaviest() (lines []string) {
	type cell struct {
		at     [2]int
		weight uint64
	}
	cells := make([]cell, 0, len(s.points))
	for at, weight := range s.points {
		cells = append(cells, cell{at, weight})
	}
	slices.SortFunc(cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.at[1], b.at[1]), cmp.Compare(a.at[0], b.at[0]))
	})
	for _, c := range cells[:min(len(cells), screenRows)] {
		lines = append(lines, fmt.Sprintf("%12s  at %d, %d px", heatmap.Grouped(c.weight), c.at[0], c.at[1]))
	}
	return lines
}

// reached is how many views came how far, in steps that fit.
func (s *liveScreen) reached() (lines []string) {
	tops := make([]int, 0, len(s.bands))
	for top := range s.bands {
		tops = append(tops, top)
	}
	slices.Sort(tops)
	step := max(1, (len(tops)+screenRows-1)/screenRows)
	for i := 0; i < len(tops); i += step {
		share := min(1, max(0, s.bands[tops[i]]))
		lines = append(lines, fmt.Sprintf("%8d px %s %.1f %%", tops[i], strings.Repeat("█", int(share*barWidth)), 100*share))
	}
	return lines
}
