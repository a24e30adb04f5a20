package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"
)

// queryCmd asks the server.
type queryCmd struct {
	Heatmap  queryHeatmapCmd  `cmd:"" help:"Where a page was clicked: cells with weights, or a picture."`
	Elements queryElementsCmd `cmd:"" help:"Which elements of a page were clicked, those with most hits first."`
	Scroll   queryScrollCmd   `cmd:"" help:"How far a page was scrolled and what was looked at."`
	Pages    queryPagesCmd    `cmd:"" help:"The pages of a site, those with most hits first."`
	Trend    queryTrendCmd    `cmd:"" help:"Hits and visitors of a site or a page by day or hour."`
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

// setNumber puts a parameter into query unless it is 0.
func setNumber(query url.Values, name string, value int) {
	if value != 0 {
		query.Set(name, strconv.Itoa(value))
	}
}

// queryHeatmapCmd asks for a heatmap.
type queryHeatmapCmd struct {
	Site  string  `arg:"" help:"Site key."`
	Page  string  `arg:"" help:"URL of the page, or a pattern: * within a path segment, ** anything."`
	Kind  string  `help:"click, move, rage or dead." placeholder:"click"`
	Cell  int     `help:"Side of a cell, px, a multiple of that on which is counted, as a rule 8." placeholder:"8"`
	Noise float64 `help:"Leave out lone cells that weigh less than this share of the hottest, 0 to 1." placeholder:"0"`
	PNG   string  `help:"Save a picture with a transparent background to FILE, - for standard output." placeholder:"FILE" name:"png"`

	Width  int `help:"Width of the picture's part of the page, from the left, px; without it all that has hits." placeholder:"PX"`
	Height int `help:"Height of that part, from the top, px; without it all that has hits." placeholder:"PX"`
	Radius int `help:"How far the heat of a hit reaches in the picture, px, 8 to 128." placeholder:"24"`
	filterFlags
	minusFlags
	serverFlags
}

// minusFlags ask for a difference map: shares of hits, less those of the same question with these in place of the flags
// without minus.
type minusFlags struct {
	MinusFrom       string `help:"Subtract the map of the days from this one on, in shares of hits." placeholder:"DATE"`
	MinusTo         string `help:"Subtract the map of the days up to this one." placeholder:"DATE"`
	MinusWhere      string `help:"Subtract the map of the hits of which this is true." placeholder:"EXPR"`
	MinusGeneration string `help:"Subtract the map by another generation." placeholder:"ID"`
}

func (f *minusFlags) add(query url.Values) {
	set(query, "minus_from", f.MinusFrom)
	set(query, "minus_to", f.MinusTo)
	set(query, "minus_where", f.MinusWhere)
	set(query, "minus_generation", f.MinusGeneration)
}

// Run prints the answer or saves the picture.
func (c *queryHeatmapCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}, "url": {c.Page}}
	c.filterFlags.add(query)
	c.minusFlags.add(query)
	set(query, "kind", c.Kind)
	setNumber(query, "cell", c.Cell)
	if c.Noise != 0 {
		query.Set("noise", strconv.FormatFloat(c.Noise, 'f', -1, 64))
	}
	if c.PNG != "" {
		return c.draw(s, query)
	}
	if c.Width != 0 || c.Height != 0 || c.Radius != 0 {
		return withHint(&misuse{errors.New("--width, --height and --radius go with --png alone")}, "--png FILE")
	}
	return c.print(s, "/v1/heatmap", query)
}

// draw saves the picture of what query asks, and says why there is nothing on it.
func (c *queryHeatmapCmd) draw(s *streams, query url.Values) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	drawn := maps.Clone(query)
	drawn.Set("format", "png")
	setNumber(drawn, "width", c.Width)
	setNumber(drawn, "height", c.Height)
	setNumber(drawn, "radius", c.Radius)
	resp, err := cl.do(context.Background(), "GET", "/v1/heatmap", drawn, nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := saveAnswer(s, resp.Body, c.PNG); err != nil {
		return err
	}
	if err := writeSampled(s.err, "", sampledOf(resp.Header, "Heatlog-")); err != nil {
		return err
	}
	if err := writeSampled(s.err, "subtracted ", sampledOf(resp.Header, "Heatlog-Minus-")); err != nil {
		return err
	}
	reason := cmp.Or(resp.Header.Get("Heatlog-Why"), resp.Header.Get("Heatlog-Minus-Why"))
	if reason == "" {
		return nil
	}
	_, err = fmt.Fprintf(s.err, "heatlog: the picture is empty: %s\n", cl.why(query, reason))
	return err
}

// why gives the sentence that a heatmap in JSON has for a picture's reason; where there is none any more, the reason.
func (c *client) why(query url.Values, reason string) string {
	type why struct {
		Message string
		Nearest []string
	}
	var answer struct {
		Why   why
		Minus struct{ Why why }
	}
	text, err := c.getJSON(context.Background(), "/v1/heatmap", query)
	if err != nil || json.Unmarshal(text, &answer) != nil {
		return reason
	}
	w := answer.Why
	if w.Message == "" && answer.Minus.Why.Message != "" {
		w = answer.Minus.Why
		w.Message = "there is nothing to subtract: " + w.Message
	}
	if w.Message == "" {
		return reason
	}
	for _, page := range w.Nearest {
		w.Message += "\n  " + page
	}
	return w.Message
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
	setNumber(query, "limit", c.Limit)
	setNumber(query, "offset", c.Offset)
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
