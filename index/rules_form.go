package index

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// ruleForms shows how the mappings and lists of a rules file are written, by the keys under which they stand.
func ruleForms() map[string]string {
	return map[string]string{
		"":                 `exclude: ['visitor == "v-77"']`,
		"algorithms":       "algorithms: [" + Algorithms()[0] + "]",
		"urls":             "urls: {drop_params: [utm_*]}",
		"urls.drop_params": "drop_params: [utm_*]",
		"urls.keep_params": "keep_params: [id]",
		"urls.rewrites":    `rewrites: [{match: '^https://www\.', replace: 'https://'}]`,
		"urls.groups":      "groups: [{match: 'https://shop.example/p/*', page: 'https://shop.example/p/:id'}]",
		"internal_tags":    "internal_tags: [staff]",
		"exclude":          `exclude: ['visitor == "v-77"']`,
		"include":          `include: ['site == "shop"']`,
		"sites":            "sites: {shop: {timezone: Europe/Prague}}",
		"bots":             "bots: {patterns: [uptime-check]}",
		"bots.patterns":    "patterns: [uptime-check]",
		"rage":             "rage: {clicks: 3, radius: 24, window: 1000}",
		"dead":             "dead: {from: log, window: 2000}",
		"repeat_clicks":    "repeat_clicks: {window: 500, radius: 8}",
	}
}

// withForm adds to a shapeError the form of what should stand under its keys.
func withForm(err error) error {
	e, ok := err.(*placedError)
	if !ok || !e.shape {
		return err
	}
	forms, key := ruleForms(), e.key
	for forms[key] == "" { // of a site
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	e.err = fmt.Errorf("%w, want one such as %s", e.err, forms[key])
	return e
}

// orLeftOut takes a key without a value for one that is left out: what stood under it may be commented out.
func orLeftOut(read func(ast.Node) error) func(ast.Node) error {
	return func(node ast.Node) error {
		switch node.(type) {
		case nil, *ast.NullNode:
			return nil
		}
		return read(node)
	}
}
