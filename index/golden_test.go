package index

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// golden gives for each algorithm what it makes of the corpus in testdata. The digest of that stands in
// testdata/golden/digests.txt and never changes.
var golden = map[string]func(t *testing.T) string{
	"bots/1": func(t *testing.T) string {
		return classes(t, func(c agentClass) any { return c.bot })
	},
	"device/1": func(t *testing.T) string {
		return classes(t, func(c agentClass) any { return c.device })
	},
	"canon/1": func(t *testing.T) string {
		var out strings.Builder
		for _, rules := range []string{"", "urls: {case: lower}", "urls: {trailing_slash: keep}", "urls: {drop_params: ['*_id', b], keep_params: [a*]}"} {
			r := mustParseRules(t, rules)
			for _, c := range canonCases(t) {
				fmt.Fprintln(&out, r.params.normalURL(c[0]))
			}
		}
		return out.String()
	},
	"rewrites/1": func(t *testing.T) string { return goldenPages(t, "rewrites") },
	"groups/1":   func(t *testing.T) string { return goldenPages(t, "groups") },
	"expressions/1": func(t *testing.T) string {
		var out strings.Builder
		for _, text := range linesOf(t, "testdata/golden/expressions.txt") {
			var eval evaluator
			x, err := compileExpression(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			fmt.Fprint(&out, text, " ")
			eachGolden(t, "urls: {groups: [{match: 'https://shop.example/p/*', page: 'https://shop.example/p/:id'}]}\nsites: {s: {timezone: Europe/Prague}}", func(e *Event) {
				eval.set(e)
				is, err := eval.run(x)
				switch {
				case err != nil:
					out.WriteByte('e')
				case is:
					out.WriteByte('1')
				default:
					out.WriteByte('0')
				}
			})
			out.WriteByte('\n')
		}
		return out.String()
	},
	"repeats/2": goldenRepeats,
	"rage/1": func(t *testing.T) string {
		bursts := func(e *Event) any {
			if e.RageAt == nil {
				return nil
			}
			return fmt.Sprint(e.Position, places(e.RageAt))
		}
		return goldenEvents(t, "", bursts) + goldenEvents(t, "rage: {clicks: 2, radius: 9, window: 500}", bursts) +
			goldenEvents(t, "rage: {clicks: 5, radius: 40, window: 4000}", bursts)
	},
	"dead/1": func(t *testing.T) string {
		return goldenEvents(t, "", func(e *Event) any { return fmt.Sprint(e.Position, e.Dead, places(e.DeadAt)) })
	},
	"dead-log/1": func(t *testing.T) string {
		dead := func(e *Event) any {
			if e.DeadAt == nil && !e.Dead {
				return nil
			}
			return fmt.Sprint(e.Position, e.Dead, places(e.DeadAt))
		}
		return goldenEvents(t, "dead: {from: log}", dead) + goldenEvents(t, "dead: {from: log, window: 300}", dead)
	},
	"repeat-clicks/1": func(t *testing.T) string {
		counted := func(e *Event) any { return fmt.Sprint(e.Position, e.Repeat) }
		return goldenEvents(t, "repeat_clicks: {window: 450}", counted) + goldenEvents(t, "repeat_clicks: {window: 5000, radius: 30}", counted)
	},
	"grid/1": func(t *testing.T) string {
		var out strings.Builder
		for _, cell := range []int{8, 16, 32, 64} {
			d := heatmap.NewDelta(cell)
			eachGolden(t, "", func(e *Event) {
				o := asOp(e)
				tallyNamed(&d, &o, o.layer)
			})
			fmt.Fprintf(&out, "%x\n", d.Append(nil))
		}
		return out.String()
	},
	"elements/1": func(t *testing.T) string {
		var out strings.Builder
		for _, rules := range []string{"", "dead: {from: log}\nrage: {clicks: 2, window: 4000}"} {
			var month heatmap.Delta
			s := NewStream(mustParseRules(t, rules), nil, StreamOptions{})
			for _, c := range goldenLog(t, "log") {
				for i := range c.Batches {
					for j := range c.Batches[i].Hits {
						goldenAnchor(&c.Batches[i].Hits[j])
					}
				}
				s.Events(&c, func(e *Event) {
					o := asOp(e)
					tallyNamed(&month, &o, o.layer)
				})
				day := month.Clone()
				day.DropNames()
				fmt.Fprintf(&out, "%x\n%x\n", month.Append(nil), day.Append(nil))
			}
		}
		return out.String()
	},
	"sampled/1": func(t *testing.T) string {
		var out strings.Builder
		tags := [][]string{nil, {"sampled:0.5"}, {"variant:b", "sampled:0.125", "sampled:0.25"}, {"sampled:1"}, {"sampled:0.0000001", "sampled:.5"}, {"sampled:0.999999"}}
		for _, rules := range []string{"", "repeat_clicks: {window: 5000, radius: 30}"} {
			var d heatmap.Delta
			s := NewStream(mustParseRules(t, rules), nil, StreamOptions{})
			for _, c := range goldenLog(t, "log") {
				for i := range c.Batches {
					for j := range c.Batches[i].Hits {
						h := &c.Batches[i].Hits[j]
						h.Tags = tags[int(h.X+h.Y)%len(tags)]
					}
				}
				s.Events(&c, func(e *Event) {
					d.AddSampled(e.Bot, e.Sampled)
					fmt.Fprintln(&out, e.Position, e.Sampled)
				})
				fmt.Fprintf(&out, "%x\n", d.Append(nil))
			}
		}
		return out.String()
	},
	"hll/1": func(*testing.T) string {
		var out strings.Builder
		var d heatmap.Delta
		for i := range 3000 {
			d.AddVisitor(i%5 == 0, xxhash.Sum64String(fmt.Sprint("visitor ", i)))
			if i%100 == 0 || i == 2999 {
				fmt.Fprintf(&out, "%x %d %d\n", sha256.Sum256(d.Append(nil)), d.Visitors(false), d.Visitors(true))
			}
		}
		return out.String()
	},
}

// places are spots without their anchors.
func places(spots []Spot) (at []struct{ X, Y uint16 }) {
	for _, s := range spots {
		at = append(at, struct{ X, Y uint16 }{s.X, s.Y})
	}
	return at
}

// classes tells of each user agent of the corpus what it is taken for.
func classes(t *testing.T, of func(agentClass) any) string {
	var out strings.Builder
	agents := DefaultRules().agents
	for _, line := range append(linesOf(t, "testdata/bots.txt"), linesOf(t, "testdata/browsers.txt")...) {
		_, userAgent, ok := strings.Cut(line, "\t")
		if !ok {
			userAgent = line
		}
		fmt.Fprintln(&out, of(agents.classify(userAgent)), userAgent)
	}
	return out.String()
}

// goldenPages tells what rules make of the corpus of URLs.
func goldenPages(t *testing.T, name string) string {
	rules, err := os.ReadFile("testdata/golden/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := mustParseRules(t, string(rules))
	var out strings.Builder
	for _, raw := range linesOf(t, "testdata/golden/urls.txt") {
		url, page, settled := r.counted(r.params.normalURL(raw))
		fmt.Fprintln(&out, raw, url, page, settled)
	}
	return out.String()
}

// goldenEvents tells of the events that rules make of the golden log what is not nil.
func goldenEvents(t *testing.T, rules string, tell func(*Event) any) string {
	var out strings.Builder
	eachGolden(t, rules, func(e *Event) {
		if said := tell(e); said != nil {
			fmt.Fprintln(&out, said)
		}
	})
	return out.String()
}

// eachGolden passes the golden log through a stream. It has no repeats: those have a log of their own.
func eachGolden(t *testing.T, rules string, fn func(*Event)) {
	s, ids := NewStream(mustParseRules(t, rules), nil, StreamOptions{}), 0
	for _, c := range goldenLog(t, "log") {
		for i := range c.Batches {
			c.Batches[i].ID = ""
			for j := range c.Batches[i].Hits {
				if h := &c.Batches[i].Hits[j]; h.ID != "" {
					ids++
					h.ID += fmt.Sprint("-", ids)
				}
			}
		}
		s.Events(&c, fn)
	}
}

// goldenAnchor gives most clicks elements of several sizes.
func goldenAnchor(h *heatmap.Hit) {
	if h.Kind != heatmap.KindClick || h.X%5 == 0 && h.Y%3 == 0 {
		return
	}
	h.Selector = fmt.Sprintf("main>a.buy:nth-child(%d)", h.X%4)
	h.Check, h.HasCheck = h.X%3, h.Y%8 == 0
	h.BoxW, h.BoxH = h.X*3, h.Y%50
	h.AnchorX, h.AnchorY = uint32(h.X)*500%(heatmap.AnchorUnit+1), uint32(h.Y)*99%(heatmap.AnchorUnit+1)
	if h.X%2 == 0 {
		h.Flags |= heatmap.FlagFixed
	}
}

// goldenRepeats tells which hits of the log of repeats count. Their tags say the same.
func goldenRepeats(t *testing.T) string {
	var out strings.Builder
	s := NewStream(DefaultRules(), nil, StreamOptions{})
	for _, c := range goldenLog(t, "repeats") {
		counts := make(map[uint64]bool)
		s.Events(&c, func(e *Event) { counts[e.Position] = true })
		for _, b := range c.Batches {
			for _, h := range b.Hits {
				fmt.Fprintln(&out, c.Position, counts[c.Position])
				if want := h.Tags[0] == "counts"; counts[c.Position] != want {
					t.Errorf("hit %d of the log of repeats counts: %t, want %t", c.Position, !want, want)
				}
				c.Position++
			}
		}
	}
	return out.String()
}

// goldenLog reads a log of testdata/golden.
func goldenLog(t *testing.T, name string) (log []heatmap.Chunk) {
	t.Helper()
	text := func(s string) string { return strings.Trim(s, "-") }
	word := func(words []string, n int, or string) string {
		if n < len(words) {
			return text(words[n])
		}
		return or
	}
	for _, line := range linesOf(t, "testdata/golden/"+name+".txt") {
		var err error
		switch words := strings.Fields(line); words[0] {
		case "chunk":
			c := heatmap.Chunk{}
			if len(log) > 0 {
				c.Position = log[len(log)-1].End()
			}
			_, err = fmt.Sscan(words[1], &c.Appended)
			log = append(log, c)
		case "batch":
			c := &log[len(log)-1]
			c.Batches = append(c.Batches, heatmap.Batch{Site: word(words, 3, "s"), Visitor: text(words[1]), ID: text(words[2])})
		default:
			c := &log[len(log)-1]
			b := &c.Batches[len(c.Batches)-1]
			h := heatmap.Hit{Site: word(words, 14, cmp.Or(b.Site, "s")), Visitor: b.Visitor, View: text(words[8]), URL: words[9], ID: text(words[11]), UserAgent: text(words[12]), ViewportW: 1280, ViewportH: 720}
			h.Kind, _ = heatmap.ParseKind(words[2])
			_, err = fmt.Sscan(strings.Join(append(slices.Clone(words[1:2]), words[3:8]...), " "), &h.Time, &h.X, &h.Y, &h.Depth, &h.From, &h.Dwell)
			h.Flags = map[string]heatmap.Flags{"u": heatmap.FlagUntrusted, "d": heatmap.FlagDead}[words[10]]
			if words[13] != "-" {
				h.Tags = []string{words[13]}
			}
			b.Hits = append(b.Hits, h)
			c.Count++
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return log
}

// TestGolden holds that no algorithm's output changes under its name.
func TestGolden(t *testing.T) {
	want := map[string]string{}
	for _, line := range linesOf(t, "testdata/golden/digests.txt") {
		name, digest, _ := strings.Cut(line, " ")
		want[name] = digest
	}
	for _, name := range Algorithms() {
		run := golden[name]
		if run == nil {
			t.Errorf("%s has no corpus", name)
			continue
		}
		out := run(t)
		if lines := strings.Count(out, "\n"); lines < 4 {
			t.Errorf("%s makes only %d lines of its corpus", name, lines)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(out))); got != want[name] {
			t.Errorf("%s %s\nis the digest of what %s makes of its corpus, and was %q. What a name stands for never changes, as stored counts "+
				"depend on it: give the changed algorithm a new name, such as the next number, with a digest of its own.", name, got, name, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("digests of algorithms that this build does not have: %v", want)
	}
}
