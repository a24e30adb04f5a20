package index

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// unreadGroup is a group as it stands in the file: it is compiled when all is read, as its texts are normalised by the
// other rules.
type unreadGroup struct {
	spec        groupSpec
	match, page ast.Node
}

func (f *rulesFile) readURLs(node ast.Node) error {
	urls := &f.spec.URLs
	return readMapping(node, fields{
		"drop_params": func(node ast.Node) (err error) {
			urls.Drop, err = readWords(node, maxRuleParams, maxRuleName, lowerASCII)
			return err
		},
		"keep_params": func(node ast.Node) (err error) {
			urls.Keep, err = readWords(node, maxRuleParams, maxRuleName, lowerASCII)
			return err
		},
		"case": func(node ast.Node) (err error) {
			urls.Case, err = readOneOf(node, caseKeep, caseLower)
			return err
		},
		"trailing_slash": func(node ast.Node) (err error) {
			urls.TrailingSlash, err = readOneOf(node, slashKeep, slashRemove)
			return err
		},
		"rewrites": func(node ast.Node) error { return readList(node, maxRewrites, f.readRewrite) },
		"groups":   func(node ast.Node) error { return readList(node, maxRuleGroups, f.readGroup) },
	})
}

func (f *rulesFile) readRewrite(node ast.Node) error {
	var spec rewriteSpec
	var match, replace ast.Node
	if err := readMapping(node, fields{
		"match": func(node ast.Node) (err error) {
			match = node
			spec.Match, err = readString(node)
			return err
		},
		"replace": func(node ast.Node) (err error) {
			replace = node
			spec.Replace, err = readString(node)
			return err
		},
	}); err != nil {
		return err
	}
	if spec.Match == "" || replace == nil {
		return nodeError(node, "a rewrite needs match and replace")
	}
	re, cost, err := compileRegexp(spec.Match)
	if err == nil {
		err = f.addRegexps(cost)
	}
	if err != nil {
		return nodeError(match, "%w", err)
	}
	r, err := compileRewrite(re, spec.Replace)
	if err != nil {
		return nodeError(replace, "%w", err)
	}
	f.rules.rewrites = append(f.rules.rewrites, r)
	f.spec.URLs.Rewrites = append(f.spec.URLs.Rewrites, spec)
	return nil
}

func (f *rulesFile) readGroup(node ast.Node) error {
	var g unreadGroup
	err := readMapping(node, fields{
		"match": func(node ast.Node) (err error) {
			g.match = node
			g.spec.Match, err = readString(node)
			return err
		},
		"page": func(node ast.Node) (err error) {
			g.page = node
			g.spec.Page, err = readString(node)
			return err
		},
	})
	if err == nil && (g.spec.Match == "" || g.page == nil) {
		err = nodeError(node, "a group needs match and page")
	}
	f.groups = append(f.groups, g)
	return err
}

// finishGroups compiles the groups and sees to it that each page is counted as itself, so that whoever asks for a page
// by its name gets it.
func (f *rulesFile) finishGroups() error {
	for _, g := range f.groups {
		group, spec, err := compileGroup(&f.rules.params, g.spec.Match, g.spec.Page)
		if errors.As(err, new(inPage)) {
			return inKey("urls.groups", nodeError(g.page, "%w", err))
		}
		if err != nil {
			return inKey("urls.groups", nodeError(g.match, "%w", err))
		}
		f.rules.groups = append(f.rules.groups, group)
		f.spec.URLs.Groups = append(f.spec.URLs.Groups, spec)
	}
	for i, g := range f.groups {
		if err := f.rules.checkPage(&f.rules.groups[i]); err != nil {
			return inKey("urls.groups", nodeError(g.page, "%w", err))
		}
	}
	return nil
}

// checkPage refuses a group whose page is counted as another, as far as that can be told before hits come: with captures
// it is tried with one text.
func (r *Rules) checkPage(g *pageGroup) error {
	page := r.params.normalURL(g.sample("en"))
	if r.isOwn(page) {
		return nil
	}
	if err := checkURL(page); err != nil {
		return err
	}
	url, ok := r.rewritten(page)
	if !ok {
		return fmt.Errorf("page %q is rewritten to what is rewritten again, or to no URL, or takes too long to rewrite", page)
	}
	again, _ := r.grouped(url)
	return fmt.Errorf("page %q is itself counted as %q: put a group that matches it and names it as its page before", page, again)
}
