package index

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"heatlog/heatmap"
)

// Limits of a rules file.
const (
	MaxRules = 256 << 10 // bytes

	maxRuleParams  = 1000  // patterns of drop_params, and of keep_params
	maxRuleGroups  = 2000  // groups
	maxRuleExclude = 100   // expressions
	maxRuleBots    = 1000  // patterns of bots
	maxRuleName    = 256   // bytes of a pattern of a parameter or a bot
	maxRuleKeys    = 10000 // keys in all mappings
	maxRuleDepth   = 16    // lists and mappings in each other on a line
)

// ParseRules reads rules from YAML. Nothing is the same as DefaultRules. An unknown key, a wrong type, and whatever else
// makes no rules is an error that begins with "rules line:column".
//
// The keys are urls.drop_params, urls.keep_params, urls.groups (each match and page), exclude, sites.KEY.timezone,
// bots.headless, bots.patterns (texts that make a user agent a bot, see Bots) and algorithms, which Spec writes and which
// must name what this build has.
func ParseRules(text []byte) (*Rules, error) {
	if len(text) > MaxRules {
		return nil, fmt.Errorf("rules have %d bytes, limit %d", len(text), MaxRules)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("rules are not UTF-8")
	}
	f := rulesFile{
		rules: &Rules{zones: make(map[string]*time.Location)},
		spec: rulesSpec{
			URLs:    urlsSpec{Drop: defaultDropParams(), Groups: []groupSpec{}},
			Exclude: []string{},
			Sites:   make(map[string]siteSpec),
			Bots:    botsSpec{Patterns: []string{}},
		},
	}
	if err := f.read(text); err != nil {
		return nil, err
	}
	return f.finish()
}

// rulesFile is a rules file while it is read.
type rulesFile struct {
	rules *Rules
	spec  rulesSpec
	pages []ast.Node // of the groups, for the place of an error
}

func (f *rulesFile) read(text []byte) (err error) {
	tokens := lexer.Tokenize(string(text))
	if err := checkTokens(tokens); err != nil {
		return err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return yamlError(err)
	}
	body, err := onlyDocument(file)
	if body == nil || err != nil {
		return err
	}
	return readMapping(body, fields{
		"algorithms": f.readAlgorithms,
		"urls":       f.readURLs,
		"exclude":    f.readExclude,
		"sites":      f.readSites,
		"bots":       f.readBots,
	})
}

func (f *rulesFile) readAlgorithms(node ast.Node) error {
	have := Algorithms()
	return readList(node, len(have), func(node ast.Node) error {
		name, err := readString(node)
		if err == nil && !slices.Contains(have, name) {
			err = nodeError(node, "algorithm %q is not known, want one of %s", name, strings.Join(have, ", "))
		}
		return err
	})
}

func (f *rulesFile) readURLs(node ast.Node) error {
	return readMapping(node, fields{
		"drop_params": func(node ast.Node) (err error) {
			f.spec.URLs.Drop, err = readWords(node, maxRuleParams, lowerASCII)
			return err
		},
		"keep_params": func(node ast.Node) (err error) {
			f.spec.URLs.Keep, err = readWords(node, maxRuleParams, lowerASCII)
			return err
		},
		"groups": func(node ast.Node) error { return readList(node, maxRuleGroups, f.readGroup) },
	})
}

// readGroup reads a group. Its page and its match, where that is one URL, are normalised when all is read.
func (f *rulesFile) readGroup(node ast.Node) error {
	var g groupSpec
	var page ast.Node
	err := readMapping(node, fields{
		"match": func(node ast.Node) (err error) {
			if g.Match, err = readString(node); err != nil {
				return err
			}
			if _, err = CompilePattern(g.Match); err != nil {
				return nodeError(node, "%s", err.(*heatmap.ParamError).Message)
			}
			return nil
		},
		"page": func(node ast.Node) (err error) {
			page = node
			g.Page, err = readString(node)
			return err
		},
	})
	if err == nil && (g.Match == "" || page == nil) {
		err = nodeError(node, "a group needs match and page")
	}
	f.spec.URLs.Groups = append(f.spec.URLs.Groups, g)
	f.pages = append(f.pages, page)
	return err
}

func (f *rulesFile) readExclude(node ast.Node) error {
	return readList(node, maxRuleExclude, func(node ast.Node) error {
		text, err := readString(node)
		if err != nil {
			return err
		}
		x, err := compileExpression(text)
		if err != nil {
			return nodeError(node, "expression %q: %w", text, err)
		}
		f.rules.exclude = append(f.rules.exclude, x)
		f.spec.Exclude = append(f.spec.Exclude, text)
		return nil
	})
}

func (f *rulesFile) readSites(node ast.Node) error {
	return readEntries(node, func(key string, at, value ast.Node) error {
		if !heatmap.ValidSiteKey(key) {
			return nodeError(at, "site key %q is not 1 to 32 of a-z, 0-9 and '-'", key)
		}
		return readMapping(value, fields{"timezone": func(node ast.Node) error { return f.readZone(key, node) }})
	})
}

func (f *rulesFile) readZone(site string, node ast.Node) error {
	name, err := readString(node)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nodeError(node, "time zone %q is not known", name)
	}
	f.rules.zones[site] = zone
	f.spec.Sites[site] = siteSpec{Timezone: name}
	return nil
}

func (f *rulesFile) readBots(node ast.Node) error {
	return readMapping(node, fields{
		"headless": func(node ast.Node) error {
			b, ok := node.(*ast.BoolNode)
			if !ok {
				return nodeError(node, "%s is not true or false", kindOf(node))
			}
			f.spec.Bots.Headless = b.Value
			return nil
		},
		"patterns": func(node ast.Node) (err error) {
			f.spec.Bots.Patterns, err = readWords(node, maxRuleBots, strings.ToLower)
			if err == nil && slices.Contains(f.spec.Bots.Patterns, "!") {
				err = nodeError(node, "a pattern is only a !")
			}
			return err
		},
	})
}

// finish makes the rules of what was read.
func (f *rulesFile) finish() (*Rules, error) {
	f.spec.canonical()
	r, urls := f.rules, &f.spec.URLs
	r.params = urlParams{drop: urls.Drop, keep: urls.Keep, keepsOnly: urls.Keep != nil}
	if err := f.finishGroups(); err != nil {
		return nil, err
	}
	extra := f.spec.Bots.Patterns
	if f.spec.Bots.Headless {
		extra = append(headlessBots(), extra...)
	}
	r.agents = newAgents(Bots(), extra)
	r.spec = f.spec.text()
	return r, nil
}

// finishGroups compiles the groups and sees to it that each page is counted as itself, so that whoever asks for a page
// by its name gets it.
func (f *rulesFile) finishGroups() error {
	r := f.rules
	for i := range f.spec.URLs.Groups {
		g := &f.spec.URLs.Groups[i]
		if !IsPattern(g.Match) {
			g.Match = r.params.normalURL(g.Match)
		}
		match, err := CompilePattern(g.Match)
		if err != nil {
			return err
		}
		g.Match = match.String()
		g.Page = r.params.normalURL(g.Page)
		r.groups = append(r.groups, pageGroup{match: match, page: g.Page})
	}
	for i, g := range r.groups {
		if IsPattern(g.page) {
			return nodeError(f.pages[i], "page %q has a star", g.page)
		}
		page, err := r.Page(g.page)
		if err != nil {
			return nodeError(f.pages[i], "page: %w", err)
		}
		if page != g.page {
			return nodeError(f.pages[i], "page %q is itself counted as %q: put a group that matches it and names it as its page before", g.page, page)
		}
	}
	return nil
}
