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
	Heatmap queryHeatmapCmd `cmd:"" help:"Where a page was clicked: cells with weights, or a picture."`
	Scroll  queryScrollCmd  `cmd:"" help:"How far a page was scrolled and what was looked at."`
	Pages   queryPagesCmd   `cmd:"" help:"The pages of a site, those with most hits first."`
}

// filterFlags say which hits count, as the API's parameters of the same names do.
type filterFlags struct {
	From       string `help:"First day, YYYY-MM-DD, or first instant, RFC 3339." placeholder:"DATE"`
	To         string `help:"Last day, or the instant after the last." placeholder:"DATE"`
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

// queryHeatmapCmd asks for a heatmap.
type queryHeatmapCmd struct {
	Site string `arg:"" help:"Site key."`
	Page string `arg:"" help:"URL of the page, or a pattern: * within a path segment, ** anything."`
	Kind string `help:"click, move, rage or dead." placeholder:"click"`
	Cell int    `help:"Side of a cell, px, a multiple of 8." placeholder:"8"`
	PNG  string `help:"Save a picture with a transparent background to FILE, - for standard output." placeholder:"FILE" name:"png"`
	filterFlags
	serverFlags
}

// Run prints the answer or saves the picture.
func (c *queryHeatmapCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}, "url": {c.Page}}
	c.add(query)
	set(query, "kind", c.Kind)
	if c.Cell != 0 {
		query.Set("cell", strconv.Itoa(c.Cell))
	}
	if c.PNG != "" {
		query.Set("format", "png")
		return c.save(s, "/v1/heatmap", query, c.PNG)
	}
	return c.print(s, "/v1/heatmap", query)
}

// queryScrollCmd asks for reach, attention and fold.
type queryScrollCmd struct {
	Site string `arg:"" help:"Site key."`
	Page string `arg:"" help:"URL of the page, or a pattern."`
	filterFlags
	serverFlags
}

// Run prints the answer.
func (c *queryScrollCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}, "url": {c.Page}}
	c.add(query)
	return c.print(s, "/v1/scroll", query)
}

// queryPagesCmd asks for the pages of a site.
type queryPagesCmd struct {
	Site   string `arg:"" help:"Site key."`
	Search string `short:"s" help:"Only pages whose URL contains TEXT." placeholder:"TEXT"`
	Limit  int    `help:"Pages at most." placeholder:"N"`
	Offset int    `help:"Pages to skip." placeholder:"N"`
	filterFlags
	serverFlags
}

// Run prints the answer.
func (c *queryPagesCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}}
	c.add(query)
	set(query, "q", c.Search)
	if c.Limit != 0 {
		query.Set("limit", strconv.Itoa(c.Limit))
	}
	if c.Offset != 0 {
		query.Set("offset", strconv.Itoa(c.Offset))
	}
	return c.print(s, "/v1/pages", query)
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
	return writeJSON(s.out, answer)
}

// save writes an answer as it is to a file.
func (f *serverFlags) save(s *streams, path string, query url.Values, name string) error {
	cl, err := f.client()
	if err != nil {
		return err
	}
	resp, err := cl.do(context.Background(), "GET", path, query, nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if name == "-" {
		if _, err := io.Copy(s.out, resp.Body); err != nil {
			return fmt.Errorf("read answer of %s: %w", path, err)
		}
		return nil
	}
	return saveFile(name, resp.Body)
}
