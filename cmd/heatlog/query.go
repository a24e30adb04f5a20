package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
)

// queryCmd asks the server.
type queryCmd struct {
	Heatmap  queryHeatmapCmd  `cmd:"" help:"Where a page was clicked: cells with weights, a picture, or the heat itself."`
	Elements queryElementsCmd `cmd:"" help:"Which elements of a page were clicked, those with most hits first."`
	Scroll   queryScrollCmd   `cmd:"" help:"How far a page was scrolled and what was looked at."`
	Pages    queryPagesCmd    `cmd:"" help:"The pages of a site, those with most hits first."`
	Trend    queryTrendCmd    `cmd:"" help:"Hits and visitors of a site or a page by day or hour."`
}

// filterFlags say which hits count, as the API's parameters of the same names do.
type filterFlags struct {
	From       string `help:"First day, YYYY-MM-DD, or first instant, RFC 3339." placeholder:"DATE"`
	To         string `help:"Last day, or the instant after the last." placeholder:"DATE"`
	Last       string `help:"So many days up to and with today, in place of from and to." placeholder:"7d"`
	VW         string `help:"Viewport widths, px, both inclusive." placeholder:"MIN-MAX" name:"vw"`
	Device     string `help:"desktop, tablet or mobile."`
	Where      string `help:"Expression over a hit's fields." placeholder:"EXPR"`
	Bots       bool   `help:"Count bots too."`
	Generation string `help:"Generation; without it the active one." placeholder:"ID"`
}

// add puts what is set into query.
func (f *filterFlags) add(query url.Values) {
	set(query, "from", f.From)
	set(query, "to", f.To)
	set(query, "last", f.Last)
	set(query, "vw", f.VW)
	set(query, "device", f.Device)
	set(query, "where", f.Where)
	set(query, "generation", f.Generation)
	if f.Bots {
		query.Set("bots", "1")
	}
}

// set puts a parameter into query unless it is empty.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// setNumber puts a parameter into query unless it is 0.
func setNumber(query url.Values, name string, value int) {
	if value != 0 {
		query.Set(name, strconv.Itoa(value))
	}
}

// queryScrollCmd asks for reach, attention and fold.
type queryScrollCmd struct {
	Site string `arg:"" help:"Site key."`
	Page string `arg:"" help:"URL of the page, or a pattern."`
	filterFlags
	followFlags
	serverFlags
}

// Run prints the answer.
func (c *queryScrollCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}, "url": {c.Page}}
	c.add(query)
	return c.answer(s, &c.serverFlags, "scroll", query)
}

// queryPagesCmd asks for the pages of a site.
type queryPagesCmd struct {
	Site   string `arg:"" help:"Site key."`
	Search string `short:"s" help:"Only pages whose URL contains TEXT." placeholder:"TEXT"`
	Limit  int    `help:"Pages at most." placeholder:"N"`
	Offset int    `help:"Pages to skip." placeholder:"N"`
	filterFlags
	windowFlags
	followFlags
	serverFlags
}

// Run prints the answer.
func (c *queryPagesCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}}
	c.filterFlags.add(query)
	c.windowFlags.add(query)
	set(query, "q", c.Search)
	setNumber(query, "limit", c.Limit)
	setNumber(query, "offset", c.Offset)
	return c.answer(s, &c.serverFlags, "pages", query)
}

// answer shows the answer to a question, once or for as long as it is followed.
func (f *followFlags) answer(s *streams, server *serverFlags, kind string, query url.Values) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.Follow {
		return f.follow(server, s, kind, query)
	}
	return server.print(s, "/v1/"+kind, query)
}

// print shows a JSON answer.
func (f *serverFlags) print(s *streams, path string, query url.Values) error {
	cl, err := f.client()
	if err != nil {
		return err
	}
	answer, err := cl.getJSON(context.Background(), path, query)
	if err != nil {
		return err
	}
	if err := writeJSON(s.out, answer); err != nil {
		return err
	}
	return tellSampled(s.err, answer)
}

// saveAnswer writes an answer as it is to a file, or to standard output for "-".
func saveAnswer(s *streams, answer io.Reader, name string) error {
	if name != "-" {
		return saveFile(name, answer)
	}
	if _, err := io.Copy(s.out, answer); err != nil {
		return fmt.Errorf("copy answer: %w", err)
	}
	return nil
}
