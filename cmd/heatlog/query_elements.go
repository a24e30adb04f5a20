package main

import (
	"net/url"
	"strconv"
)

// queryElementsCmd asks for the elements of a page.
type queryElementsCmd struct {
	Site  string `arg:"" help:"Site key."`
	Page  string `arg:"" help:"URL of the page, or a pattern: * within a path segment, ** anything."`
	Kind  string `help:"click, rage or dead." placeholder:"click"`
	Limit *int   `help:"Elements at most, 0 for all." placeholder:"200"`
	Cells bool   `help:"Say where inside the elements, and where on the page without one."`
	filterFlags
	followFlags
	serverFlags
}

// Run prints the answer.
func (c *queryElementsCmd) Run(s *streams) error {
	query := url.Values{"site": {c.Site}, "url": {c.Page}}
	c.add(query)
	set(query, "kind", c.Kind)
	if c.Limit != nil {
		query.Set("limit", strconv.Itoa(*c.Limit))
	}
	if c.Cells {
		query.Set("cells", "1")
	}
	return c.answer(s, &c.serverFlags, "elements", query)
}
