package index

import (
	"errors"
	"fmt"
	"math/bits"
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

	maxRuleParams  = 1000   // patterns of drop_params, and of keep_params
	maxRuleGroups  = 2000   // groups
	maxRuleTags    = 100    // internal_tags
	maxRuleExclude = 100    // expressions of exclude, and of include
	maxRuleBots    = 1000   // patterns of bots
	maxRuleName    = 256    // bytes of a pattern of a parameter or a bot
	maxRuleRegexps = 20_000 // cost of all regular expressions: see maxRegexpCost
	maxRuleKeys    = 10000  // keys in all mappings
	maxRuleDepth   = 16     // lists and mappings in each other on a line

	maxRuleCell   = 64 // px
	maxRageClicks = rageMemory
	maxRadius     = 1000   // px
	maxWindow     = 60_000 // ms
)

// ParseRules reads rules from YAML. Nothing is the same as DefaultRules. An unknown key, a wrong type, and whatever else
// makes no rules is an error that begins with "rules line:column". A key of the top that has no value, but for algorithms
// and cell, is the same as one that is left out.
//
// The keys and their values are those of RulesSchema, and algorithms, which Spec writes and which must name what this
// build has. A hit is judged in this order:
//
//  1. Its URL is normalised: scheme and host, escapes, urls.case, index.html and urls.trailing_slash, fragment, then
//     urls.drop_params and urls.keep_params.
//  2. urls.rewrites are applied to the normalised URL, each once, in their order; each result is normalised before the
//     next. A URL of which that makes no absolute http or https URL, or one that would be rewritten to yet another, or for
//     which that takes more than maxRewriteWork, stays as it is, and StreamStats.Unsettled counts its hits. This is the url
//     of expressions.
//  3. The first of urls.groups that matches gives the page, else the URL is the page. A page that would itself be counted
//     as another is not taken, nor one that it takes more than maxGroupWork to find, and counted the same.
//  4. bots and device are told from the user agent.
//  5. Hits with one of internal_tags, those of which an expression of exclude is true, and those of which none of include
//     is true, if there are any, are left out of everything. An expression that fails is false, and counted.
//  6. rage, dead and repeat_clicks look at what is left.
func ParseRules(text []byte) (*Rules, error) { return parseRules(text) }

// parseRules is ParseRules, also for what was counted before there were some of the algorithms of keyless.
func parseRules(text []byte, without ...string) (*Rules, error) {
	if len(text) > MaxRules {
		return nil, fmt.Errorf("rules have %d bytes, limit %d", len(text), MaxRules)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("rules are not UTF-8")
	}
	f := rulesFile{rules: &Rules{zones: make(map[string]*time.Location)}, spec: defaultSpec()}
	f.spec.without = without
	if err := f.read(text); err != nil {
		return nil, err
	}
	return f.finish()
}

// rulesFile is a rules file while it is read.
type rulesFile struct {
	rules   *Rules
	spec    rulesSpec
	groups  []unreadGroup
	regexps int // cost of all regular expressions
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
	return withForm(readMapping(body, fields{
		"algorithms": f.readAlgorithms,
		"urls":       orLeftOut(f.readURLs),
		"internal_tags": orLeftOut(func(node ast.Node) (err error) {
			f.spec.InternalTags, err = readWords(node, maxRuleTags, heatmap.MaxTag, func(tag string) string { return tag })
			return err
		}),
		"exclude":       orLeftOut(func(node ast.Node) error { return f.readExpressions(node, &f.rules.exclude, &f.spec.Exclude) }),
		"include":       orLeftOut(func(node ast.Node) error { return f.readExpressions(node, &f.rules.include, &f.spec.Include) }),
		"sites":         orLeftOut(f.readSites),
		"bots":          orLeftOut(f.readBots),
		"rage":          orLeftOut(f.readRage),
		"dead":          orLeftOut(f.readDead),
		"repeat_clicks": orLeftOut(f.readRepeatClicks),
		"cell": func(node ast.Node) (err error) {
			if f.spec.Cell, err = readInt(node, heatmap.CellSize, maxRuleCell); err == nil && bits.OnesCount(uint(f.spec.Cell)) != 1 {
				err = nodeError(node, "cell is %d, want 8, 16, 32 or 64", f.spec.Cell)
			}
			return err
		},
	}))
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

func (f *rulesFile) readExpressions(node ast.Node, to *[]*expression, spec *[]string) error {
	return readList(node, maxRuleExclude, func(node ast.Node) error {
		text, err := readString(node)
		if err != nil {
			return err
		}
		x, err := compileExpression(text)
		if err == nil {
			err = f.addRegexps(x.cost)
		}
		if err != nil {
			return nodeError(node, "expression %q: %w", text, err)
		}
		*to = append(*to, x)
		*spec = append(*spec, text)
		return nil
	})
}

// addRegexps bounds what regular expressions cost together.
func (f *rulesFile) addRegexps(cost int) error {
	if f.regexps += cost; f.regexps > maxRuleRegexps {
		return fmt.Errorf("regular expressions have %d parts up to here, limit %d", f.regexps, maxRuleRegexps)
	}
	return nil
}

func (f *rulesFile) readRage(node ast.Node) error {
	rage := &f.spec.Rage
	return readMapping(node, fields{
		"clicks": readIntTo(&rage.Clicks, 2, maxRageClicks),
		"radius": readIntTo(&rage.Radius, 0, maxRadius),
		"window": readIntTo(&rage.Window, 1, maxWindow),
	})
}

func (f *rulesFile) readDead(node ast.Node) error {
	dead := &f.spec.Dead
	return readMapping(node, fields{
		"from": func(node ast.Node) (err error) {
			dead.From, err = readOneOf(node, deadTracker, deadLog)
			return err
		},
		"window": readIntTo(&dead.Window, 1, maxWindow),
	})
}

func (f *rulesFile) readRepeatClicks(node ast.Node) error {
	repeat := &f.spec.RepeatClicks
	return readMapping(node, fields{
		"window": readIntTo(&repeat.Window, 0, maxWindow),
		"radius": readIntTo(&repeat.Radius, 0, maxRadius),
	})
}

func (f *rulesFile) readSites(node ast.Node) error {
	return readEntries(node, func(key string, at, value ast.Node) error {
		if !heatmap.ValidSiteKey(key) {
			return nodeError(at, "site key %q is not 1 to 32 of a-z, 0-9 and '-'", key)
		}
		return inKey(key, readMapping(value, fields{"timezone": func(node ast.Node) error { return f.readZone(key, node) }}))
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
			f.spec.Bots.Patterns, err = readWords(node, maxRuleBots, maxRuleName, strings.ToLower)
			if err == nil && slices.Contains(f.spec.Bots.Patterns, "!") {
				err = nodeError(node, "a pattern is only a !")
			}
			return err
		},
	})
}

// finish makes the rules of what was read.
func (f *rulesFile) finish() (*Rules, error) {
	r, urls := f.rules, &f.spec.URLs
	urls.Drop, urls.Keep = sortedSet(urls.Drop), sortedSet(urls.Keep)
	r.params = urlParams{
		drop: urls.Drop, keep: urls.Keep, keepsOnly: urls.Keep != nil,
		lowerPath: urls.Case == caseLower, keepSlash: urls.TrailingSlash == slashKeep,
	}
	if err := f.finishGroups(); err != nil {
		return nil, err
	}
	f.spec.canonical()
	extra := f.spec.Bots.Patterns
	if f.spec.Bots.Headless {
		extra = append(headlessBots(), extra...)
	}
	r.agents = newAgents(Bots(), extra)
	r.internal = f.spec.InternalTags
	r.rage = rageRules{f.spec.Rage.Clicks, nearness{int64(f.spec.Rage.Window), int64(f.spec.Rage.Radius)}}
	r.dead = deadRules{f.spec.Dead.From == deadLog, int64(f.spec.Dead.Window)}
	r.repeat = nearness{int64(f.spec.RepeatClicks.Window), int64(f.spec.RepeatClicks.Radius)}
	r.cell = f.spec.Cell
	r.elements = !slices.Contains(f.spec.without, elementsName)
	r.sampled = !slices.Contains(f.spec.without, sampledName)
	r.spec = f.spec.text()
	return r, nil
}
