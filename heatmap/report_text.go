package heatmap

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// String gives the report as text for people, several lines.
func (r *Report) String() string {
	var b strings.Builder
	b.WriteString(r.verdict() + "\n")
	for _, p := range r.Problems {
		b.WriteString("  " + p + "\n")
	}
	for _, w := range r.Warnings {
		b.WriteString("warning: " + w + "\n")
	}
	for _, n := range r.Notes {
		b.WriteString("note: " + n + "\n")
	}
	if len(r.Checks) > 0 {
		fmt.Fprintf(&b, "\nchecked in %s at %s\n", tookText(r.TookMS), positionsText(r.Positions))
		table(&b, "lrll", func(row func(cells ...string)) {
			for _, c := range r.Checks {
				failed := ""
				if c.Failed > 0 {
					failed = Grouped(c.Failed) + " wrong"
				}
				row(c.Name, Grouped(c.Done), c.What, failed)
			}
		})
	}
	if r.Before != nil && r.After != nil {
		b.WriteString("\n")
		r.writeSides(&b)
	}
	if r.Pages != nil {
		r.writePages(&b)
	}
	return b.String()
}

// Summary gives the report in one or two lines: what the checks have found, and what changes.
func (r *Report) Summary() string {
	var text strings.Builder
	text.WriteString(r.verdict())
	for _, w := range r.Warnings {
		text.WriteString("\nwarning: " + w)
	}
	switch p := r.Pages; {
	case p == nil || r.Before == nil || r.After == nil:
	case r.Before.Counts.Hits == r.After.Counts.Hits && r.Before.Counts.Bots == r.After.Counts.Bots && p.Changed+p.Appeared+p.Disappeared+p.Merged == 0:
		text.WriteString("\nno page changes")
	default:
		fmt.Fprintf(&text, "\n%s hits instead of %s, bots among them; of the pages %s keep their hits, %s change, %s appear, %s disappear", Grouped(r.After.Counts.Hits),
			Grouped(r.Before.Counts.Hits), Grouped(p.Same), Grouped(p.Changed), Grouped(p.Appeared), Grouped(p.Disappeared))
	}
	return text.String()
}

func (r *Report) verdict() string {
	head := "generation " + r.Generation + " compared with " + r.Active + ": "
	if !r.OK() {
		return head + "it must not be used"
	}
	return head + "all that must hold holds"
}

func tookText(ms int64) string {
	if ms < 10_000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%d s", ms/1000)
}

func positionsText(positions map[string]uint64) string {
	if len(positions) == 0 {
		return "the beginning"
	}
	var hits uint64
	for _, p := range positions {
		hits += p
	}
	return "position " + Grouped(hits)
}

// table writes rows whose cells stand below each other, to the left or to the right as align says: l or r for each column.
func table(b *strings.Builder, align string, fill func(row func(cells ...string))) {
	var rows [][]string
	wide := make([]int, len(align))
	fill(func(cells ...string) {
		rows = append(rows, cells)
		for i, c := range cells {
			wide[i] = max(wide[i], utf8.RuneCountInString(c))
		}
	})
	for _, cells := range rows {
		var line strings.Builder
		for i, c := range cells {
			pad := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(c))
			if line.WriteString("  "); align[i] == 'r' {
				line.WriteString(pad + c)
			} else {
				line.WriteString(c + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func (r *Report) writeSides(b *strings.Builder) {
	before, after := r.Before, r.After
	numbers := func(row func(cells ...string), name string, was, is uint64, always bool) {
		if was != 0 || is != 0 || always {
			row(name, Grouped(is), Grouped(was), Signed(is, was))
		}
	}
	table(b, "lrrr", func(row func(cells ...string)) {
		row("hits", r.Generation, r.Active, "difference")
		for _, n := range []struct {
			name    string
			was, is uint64
			always  bool
		}{
			{"read", before.Counts.Read, after.Counts.Read, true},
			{"repeats", before.Counts.RepeatedHits, after.Counts.RepeatedHits, false},
			{"left out by rules", before.Counts.Excluded, after.Counts.Excluded, true},
			{"repeated clicks", before.Counts.RepeatedClicks, after.Counts.RepeatedClicks, false},
			{"carried over", before.Counts.Carried, after.Counts.Carried, false},
			{"lost to damage", before.Counts.LostHits, after.Counts.LostHits, false},
			{"counted", before.Counts.Hits, after.Counts.Hits, true},
			{"views", before.Counts.Views, after.Counts.Views, false},
			{"clicks", before.Counts.Clicks, after.Counts.Clicks, false},
			{"scrolls", before.Counts.Scrolls, after.Counts.Scrolls, false},
			{"moves", before.Counts.Moves, after.Counts.Moves, false},
			{"of bots", before.Counts.Bots, after.Counts.Bots, false},
			{"dead clicks", before.Counts.Dead, after.Counts.Dead, false},
			{"rage bursts", before.Counts.Bursts, after.Counts.Bursts, false},
			{"visitors that are people", before.Visitors, after.Visitors, false},
			{"pages with people", before.Pages, after.Pages, true},
		} {
			numbers(row, n.name, n.was, n.is, n.always)
		}
		row("first day", after.FirstDay, before.FirstDay)
		row("last day", after.LastDay, before.LastDay)
	})
	writeExcluded(b, r.Generation, after.Counts)
	writeExcluded(b, r.Active, before.Counts)
}

// writeExcluded says what each rule of a generation has left out.
func writeExcluded(b *strings.Builder, id string, c *Counts) {
	if len(c.ExcludedBy) == 0 {
		return
	}
	fmt.Fprintf(b, "\nleft out by the rules of %s\n", id)
	table(b, "rl", func(row func(cells ...string)) {
		for _, e := range c.ExcludedBy {
			row(Grouped(e.Hits), e.Rule)
		}
	})
}

func (r *Report) writePages(b *strings.Builder) {
	p := r.Pages
	fmt.Fprintf(b, "\npages, by hits of people: %s keep theirs, %s change, %s appear, %s disappear\n", Grouped(p.Same), Grouped(p.Changed), Grouped(p.Appeared), Grouped(p.Disappeared))
	if p.Apart > 0 {
		fmt.Fprintf(b, "%s hits are of more pages than a report tells apart\n", Grouped(p.Apart))
	}
	if len(p.Top) > 0 {
		b.WriteString("\ngreatest differences\n")
		table(b, "rrrrl", func(row func(cells ...string)) {
			row("after", "before", "difference", "of all", "page")
			for _, c := range p.Top {
				row(Grouped(c.After), Grouped(c.Before), Signed(c.After, c.Before), fmt.Sprintf("%+.2f %%", 100*c.Share), c.Site+" "+c.Page)
			}
		})
		more(b, "", p.Changed+p.Appeared+p.Disappeared, len(p.Top), "pages")
	}
	if len(p.Merges) > 0 {
		fmt.Fprintf(b, "\npages that take hits of others, %s hits\n", Grouped(p.Moved))
		for _, m := range p.Merges {
			fmt.Fprintf(b, "  %s %s takes %s hits of %s pages\n", m.Site, m.Page, Grouped(m.Hits), Grouped(m.Of))
			for _, f := range m.From {
				fmt.Fprintf(b, "    %s of %s\n", Grouped(f.Hits), f.Page)
			}
			more(b, "  ", m.Of, len(m.From), "pages")
		}
		more(b, "", p.Merged, len(p.Merges), "such pages")
	}
}

// more says how many there are beyond those that are listed.
func more(b *strings.Builder, indent string, all uint64, listed int, what string) {
	if all > uint64(listed) {
		fmt.Fprintf(b, "%s  and %s more %s\n", indent, Grouped(all-uint64(listed)), what)
	}
}

// Grouped writes a count with its thousands set apart.
func Grouped(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Signed writes a minus b with its sign, "" for none.
func Signed(a, b uint64) string {
	switch {
	case a > b:
		return "+" + Grouped(a-b)
	case a < b:
		return "-" + Grouped(b-a)
	}
	return ""
}

// ReportPage cuts the name of a page to what a report has of it, at a rune's start.
func ReportPage(page string) string {
	const cut = "…"
	if len(page) <= MaxReportPage {
		return page
	}
	n := MaxReportPage - len(cut)
	for n > 0 && !utf8.RuneStart(page[n]) {
		n--
	}
	return page[:n] + cut
}
