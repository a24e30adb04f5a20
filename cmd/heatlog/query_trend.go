package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"
)

// queryTrendCmd asks for hits over time.
type queryTrendCmd struct {
	Site string `arg:"" help:"Site key."`
	Page string `arg:"" optional:"" help:"URL of a page, or a pattern; without it the whole site."`
	By   string `help:"day or hour, in the site's time zone. Hours are counted from the journal, which takes longer." placeholder:"day"`
	JSON bool   `help:"Print the server's answer as JSON." name:"json"`
	filterFlags
	windowFlags
	followFlags
	serverFlags
}

// trendAnswer is what the table is made of.
type trendAnswer struct {
	By      string
	Buckets []trendRow
	trendRow
	Why *struct {
		Message string
		Nearest []string
	}
}

// trendRow is a bucket, or all of them.
type trendRow struct {
	Start                                                     time.Time
	Hits, Views, Clicks, Scrolls, Moves, Rage, Dead, Visitors uint64
}

// Run prints one line a day or hour.
func (c *queryTrendCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}}
	c.filterFlags.add(query)
	c.windowFlags.add(query)
	set(query, "url", c.Page)
	set(query, "by", c.By)
	if err := c.check(); err != nil {
		return err
	}
	if c.JSON || c.Follow {
		return c.answer(s, &c.serverFlags, "trend", query)
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	text, err := cl.getJSON(context.Background(), "/v1/trend", query)
	if err != nil {
		return err
	}
	var a trendAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("read answer %.60q: %w", text, err)
	}
	if err := cmp.Or(printTrend(s.out, &a), tellSampled(s.err, text)); err != nil || a.Why == nil {
		return err
	}
	for _, page := range a.Why.Nearest {
		a.Why.Message += "\n  " + page
	}
	_, err = fmt.Fprintf(s.err, "heatlog: nothing is counted: %s\n", a.Why.Message)
	return err
}

// printTrend writes a table of buckets, and their sum. Visitors are those of the whole range, not the sum of the lines.
func printTrend(w io.Writer, a *trendAnswer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	layout, head := time.DateOnly, "DAY"
	switch a.By {
	case "hour":
		layout, head = "2006-01-02 15:04 -07:00", "HOUR"
	case "": // windows
		layout, head = "2006-01-02 15:04:05 -07:00", "FROM"
	}
	fmt.Fprintln(t, head+"\tHITS\tVIEWS\tCLICKS\tSCROLLS\tMOVES\tRAGE\tDEAD\tVISITORS\t")
	total := trendRow{Visitors: a.Visitors}
	for _, b := range a.Buckets {
		writeTrendRow(t, b.Start.Format(layout), &b)
		total.Hits, total.Views, total.Clicks, total.Scrolls = total.Hits+b.Hits, total.Views+b.Views, total.Clicks+b.Clicks, total.Scrolls+b.Scrolls
		total.Moves, total.Rage, total.Dead = total.Moves+b.Moves, total.Rage+b.Rage, total.Dead+b.Dead
	}
	writeTrendRow(t, "all", &total)
	return t.Flush()
}

func writeTrendRow(w io.Writer, name string, r *trendRow) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, r.Hits, r.Views, r.Clicks, r.Scrolls, r.Moves, r.Rage, r.Dead, r.Visitors)
}
