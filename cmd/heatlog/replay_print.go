package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"heatlog/heatmap"
)

// stateText is a generation's state for people.
func stateText(g *heatmap.Generation) string {
	if g.Paused {
		return string(g.State) + ", paused"
	}
	return string(g.State)
}

// scopeText is what part of the journal a generation counts anew.
func scopeText(s heatmap.Scope) string {
	if s.All() {
		return "everything"
	}
	text := "all sites"
	if len(s.Sites) > 0 {
		text = strings.Join(s.Sites, " ")
	}
	if s.From != "" {
		text += " from " + s.From
	}
	return text
}

// carriedText is what a generation has from another one.
func carriedText(c *heatmap.Carried) string {
	text := heatmap.Grouped(c.Hits) + " hits of " + c.Site
	if c.Before != "" {
		text += " before " + c.Before
	}
	if c.Source != "" {
		text += " in journal " + c.Source + ", which cannot be read"
	}
	return text + ", as " + c.From + " has them"
}

// hitsInAll is what a generation has counted and what was carried over to it.
func hitsInAll(g *heatmap.Generation) (n uint64) {
	if g.Counts != nil {
		n = g.Counts.Hits
	}
	for i := range g.Carried {
		n += g.Carried[i].Hits
	}
	return n
}

// share is n of all in whole per cent, rounded down, so that 100 means all.
func share(n, all uint64) int {
	if all == 0 || n >= all {
		return 100
	}
	return int(float64(n) / float64(all) * 100)
}

// progressText is how far a generation has read, how fast, and how long that will take.
func progressText(p *heatmap.Progress) string {
	text := fmt.Sprintf("%s of %s hits (%d %%)", heatmap.Grouped(p.Hits), heatmap.Grouped(p.Of), share(p.Hits, p.Of))
	if p.Hits < p.Of && p.HitsPerSecond > 0 {
		text += ", " + speedText(p)
	}
	return text
}

// speedText is how fast a generation reads, and how long it will take if that is known.
func speedText(p *heatmap.Progress) string {
	text := heatmap.Grouped(uint64(math.Round(p.HitsPerSecond))) + " hits/s"
	if p.ETASeconds > 0 {
		left := time.Duration(p.ETASeconds * float64(time.Second))
		text += ", " + max(left.Round(time.Second), time.Second).String() + " left"
	}
	return text
}

// printGenerations writes a table of generations.
func printGenerations(w io.Writer, list []heatmap.Generation, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tRULES\tCREATED\tCOUNTS\tREAD\tCOUNTED\t")
	for i := range list {
		g := &list[i]
		read, counted := fmt.Sprintf("%d %%", share(g.Progress.Hits, g.Progress.Of)), "-"
		if g.State == heatmap.StateFailed {
			read = "-" // it is not open, so nobody knows
		}
		if g.Counts != nil {
			counted = heatmap.Grouped(hitsInAll(g))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.ID, stateText(g), g.Spec, timeText(g.Created), scopeText(g.Scope), read, counted, noteOf(g, now))
	}
	return t.Flush()
}

// noteOf is what else there is to know of a generation.
func noteOf(g *heatmap.Generation, now time.Time) string {
	switch {
	case g.Reason != "":
		return g.Reason
	case !g.Until.IsZero():
		return "is dropped in " + hoursText(g.Until.Sub(now))
	case g.Activate:
		return "is switched to when it is ready"
	}
	return ""
}

// hoursText is how long something takes from now on, in hours and minutes.
func hoursText(d time.Duration) string {
	minutes := int(max(d, 0).Round(time.Minute) / time.Minute)
	switch h, m := minutes/60, minutes%60; {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d h %d min", h, m)
	}
}

// hintOf says how a generation that failed can be had all the same.
func hintOf(g *heatmap.Generation) string {
	if g.State == heatmap.StateFailed && !g.SkipDamaged && strings.Contains(g.Reason, "read segment ") {
		return "put a copy of the segment back, or begin again with --skip-damaged, which goes on behind damage and counts the loss; " +
			"with --from DATE beside it, a day behind the damage, the days before are carried over as they are counted now, and nothing of them is lost"
	}
	return ""
}

func timeText(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// printGeneration writes what there is to know of one, with its counts beside those of the active one.
func printGeneration(w io.Writer, g heatmap.Generation, active string, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("generation", g.ID)
	line("state", stateText(&g))
	line("note", noteOf(&g, now))
	for _, warning := range g.Warnings {
		line("warning", warning)
	}
	line("rules", g.Spec)
	line("counts", scopeText(g.Scope))
	for i := range g.Carried {
		line("carried", carriedText(&g.Carried[i]))
	}
	line("created", timeText(g.Created))
	if g.State != heatmap.StateFailed {
		line("read", progressText(&g.Progress))
	}
	line("hint", hintOf(&g))
	if err := t.Flush(); err != nil || g.Counts == nil {
		return err
	}
	fmt.Fprintln(w)
	return printCounts(w, &g, active)
}

// printCounts writes the counts of a generation, beside those of the active one where they are there. What neither has is
// left out.
func printCounts(w io.Writer, g *heatmap.Generation, active string) error {
	rows, other := countRows(g.Counts), countRows(&heatmap.Counts{})
	beside := g.ActiveCounts != nil && len(g.Carried) == 0 // else they are not of the same hits
	if beside {
		other = countRows(g.ActiveCounts)
	}
	var lines [][]string
	line := func(cells ...string) { lines = append(lines, cells) }
	if beside {
		line("hits", g.ID, active, "difference")
	}
	for i, row := range rows {
		switch {
		case row.n == 0 && other[i].n == 0 && !row.always:
		case beside:
			line(row.name, heatmap.Grouped(row.n), heatmap.Grouped(other[i].n), heatmap.Signed(row.n, other[i].n))
		default:
			line(row.name, heatmap.Grouped(row.n))
		}
	}
	if len(g.Carried) > 0 {
		line("counted and carried", heatmap.Grouped(hitsInAll(g)))
	}
	for _, rule := range g.Counts.ExcludedBy {
		line("left out by "+cut(rule.Rule), heatmap.Grouped(rule.Hits))
	}
	return printNumbers(w, lines)
}

// printNumbers writes a table whose first column has names and whose others have numbers.
func printNumbers(w io.Writer, lines [][]string) error {
	wide := 0
	for _, cells := range lines {
		wide = max(wide, utf8.RuneCountInString(cells[0]))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range lines {
		cells[0] += strings.Repeat(" ", wide-utf8.RuneCountInString(cells[0]))
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	return t.Flush()
}

// maxRuleText is how much of an expression is shown, characters.
const maxRuleText = 40

// cut shortens an expression to what fits in a line.
func cut(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= maxRuleText {
		return string(runes)
	}
	return string(runes[:maxRuleText-1]) + "…"
}

// countRow is one count with its name.
type countRow struct {
	name   string
	n      uint64
	always bool // shown even if there is none
}

func countRows(c *heatmap.Counts) []countRow {
	return []countRow{
		{"read", c.Read, true},
		{"repeats", c.RepeatedHits, false},
		{"left out by rules", c.Excluded, true},
		{"carried over", c.Carried, false},
		{"lost to damage", c.LostHits, false},
		{"counted", c.Hits, true},
		{"views", c.Views, false},
		{"clicks", c.Clicks, false},
		{"scrolls", c.Scrolls, false},
		{"moves", c.Moves, false},
		{"of bots", c.Bots, false},
		{"dead clicks", c.Dead, false},
		{"rage bursts", c.Bursts, false},
		{"failed expressions", c.ExprErrors, false},
		{"unsettled URLs", c.Unsettled, false},
	}
}
