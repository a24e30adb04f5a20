package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
)

// queryHeatmapCmd asks for a heatmap.
type queryHeatmapCmd struct {
	Site    string  `arg:"" help:"Site key."`
	Page    string  `arg:"" help:"URL of the page, or a pattern: * within a path segment, ** anything."`
	Kind    string  `help:"click, move, rage or dead." placeholder:"click"`
	Cell    int     `help:"Side of a cell, px, a multiple of that on which is counted, as a rule 8." placeholder:"8"`
	Noise   float64 `help:"Leave out lone cells that weigh less than this share of the hottest, 0 to 1." placeholder:"0"`
	Limit   int     `help:"Merge light cells until there are N points at most, 0 for all cells, exact. The answer's error says how far their drawing is from exact." placeholder:"0"`
	CSV     string  `help:"Save the points as lines x,y,weight to FILE, - for standard output." placeholder:"FILE" name:"csv"`
	Msgpack string  `help:"Save the answer as MessagePack to FILE." placeholder:"FILE"`
	PNG     string  `help:"Save a picture with a transparent background to FILE." placeholder:"FILE" name:"png"`
	Field   string  `help:"Save the heat itself to FILE: a grey PNG with a byte a sample, 255 for the page's greatest." placeholder:"FILE"`

	Width  int  `help:"Width of the part of the page that --png and --field show, from the left, px; without it all that has heat." placeholder:"PX"`
	Height int  `help:"Height of the picture's part, from the top, px; without it all that has heat." placeholder:"PX"`
	Radius int  `help:"How far the heat of a hit reaches in --png and --field, px, 8 to 128." placeholder:"24"`
	Step   int  `help:"Px between samples of --field, 4 or 8." placeholder:"4"`
	Y0     *int `help:"Where the part of the page begins that --field has, px from the top." placeholder:"0" name:"y0"`
	Y1     int  `help:"Where it ends, px from the top; without it where the heat does." placeholder:"PX" name:"y1"`
	filterFlags
	minusFlags
	followFlags
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

// Run prints the answer or saves it in another format.
func (c *queryHeatmapCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}, "url": {c.Page}}
	c.filterFlags.add(query)
	c.minusFlags.add(query)
	set(query, "kind", c.Kind)
	setNumber(query, "cell", c.Cell)
	query.Set("limit", strconv.Itoa(c.Limit))
	if c.Noise != 0 {
		query.Set("noise", strconv.FormatFloat(c.Noise, 'f', -1, 64))
	}
	format, file, err := c.format()
	if err != nil {
		return err
	}
	if file != "" && c.Follow {
		return &misuse{fmt.Errorf("--%s does not go with --follow", format)}
	}
	if file != "" {
		return c.save(s, query, format, file)
	}
	return c.answer(s, &c.serverFlags, "heatmap", query)
}

// format says in which format the answer is to be saved where; file is "" if it is to be printed.
func (c *queryHeatmapCmd) format() (format, file string, err error) {
	for _, f := range []struct{ name, file string }{{"csv", c.CSV}, {"msgpack", c.Msgpack}, {"png", c.PNG}, {"field", c.Field}} {
		switch {
		case f.file == "":
		case file != "":
			return "", "", &misuse{fmt.Errorf("--%s does not go with --%s: an answer has one format", f.name, format)}
		default:
			format, file = f.name, f.file
		}
	}
	switch {
	case (c.Width != 0 || c.Radius != 0) && format != "png" && format != "field":
		return "", "", withHint(&misuse{errors.New("--width and --radius go with --png and --field alone")}, "--png FILE")
	case c.Height != 0 && format != "png":
		return "", "", withHint(&misuse{errors.New("--height goes with --png alone")}, "--png FILE")
	case (c.Step != 0 || c.Y0 != nil || c.Y1 != 0) && format != "field":
		return "", "", withHint(&misuse{errors.New("--step, --y0 and --y1 go with --field alone")}, "--field FILE")
	}
	return format, file, nil
}

// save saves what query asks, and says why there is nothing in it.
func (c *queryHeatmapCmd) save(s *streams, query url.Values, format, file string) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	saved := maps.Clone(query)
	saved.Set("format", format)
	setNumber(saved, "width", c.Width)
	setNumber(saved, "height", c.Height)
	setNumber(saved, "radius", c.Radius)
	setNumber(saved, "step", c.Step)
	if c.Y0 != nil {
		saved.Set("y0", strconv.Itoa(*c.Y0))
	}
	setNumber(saved, "y1", c.Y1)
	resp, err := cl.do(context.Background(), "GET", "/v1/heatmap", saved, nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := saveAnswer(s, resp.Body, file); err != nil {
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
	_, err = fmt.Fprintf(s.err, "heatlog: %s: %s\n", emptyWords[format], cl.why(query, reason))
	return err
}

// emptyWords say that there is nothing in an answer of a format. MessagePack says so itself.
var emptyWords = map[string]string{"csv": "there are no points", "png": "the picture is empty", "field": "the field is empty"}

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
