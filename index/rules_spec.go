package index

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// rulesSpec is a rules file with all defaults filled in.
type rulesSpec struct {
	Algorithms   []string            `json:"algorithms"`
	URLs         urlsSpec            `json:"urls"`
	InternalTags []string            `json:"internal_tags"`
	Exclude      []string            `json:"exclude"`
	Include      []string            `json:"include"`
	Sites        map[string]siteSpec `json:"sites"`
	Bots         botsSpec            `json:"bots"`
	Rage         rageSpec            `json:"rage"`
	Dead         deadSpec            `json:"dead"`
	RepeatClicks repeatSpec          `json:"repeat_clicks"`
	Cell         int                 `json:"cell"` // px

	without []string // of keyless: counted before there were these
}

type urlsSpec struct {
	Drop          []string      `json:"drop_params"`
	Keep          []string      `json:"keep_params,omitzero"` // nil = off
	Case          string        `json:"case"`
	TrailingSlash string        `json:"trailing_slash"`
	Rewrites      []rewriteSpec `json:"rewrites"`
	Groups        []groupSpec   `json:"groups"`
}

type rewriteSpec struct {
	Match   string `json:"match"`
	Replace string `json:"replace"`
}

type groupSpec struct {
	Match string `json:"match"`
	Page  string `json:"page"`
}

type siteSpec struct {
	Timezone string `json:"timezone,omitzero"`
}

type botsSpec struct {
	Headless bool     `json:"headless"`
	Patterns []string `json:"patterns"`
}

type rageSpec struct {
	Clicks int `json:"clicks"`
	Radius int `json:"radius"` // px
	Window int `json:"window"` // ms
}

type deadSpec struct {
	From   string `json:"from"`
	Window int    `json:"window"` // ms
}

type repeatSpec struct {
	Window int `json:"window"` // ms, 0 = off
	Radius int `json:"radius"` // px
}

// Algorithms that have no key: what was counted before there was one goes on without, and all else has it.
const (
	elementsName = "elements/1" // counts clicks inside their elements
	sampledName  = "sampled/1"  // counts which hits are from a share of page loads alone
)

func keyless() []string { return []string{elementsName, sampledName} }

// Values of urls.case, urls.trailing_slash and dead.from.
const (
	caseKeep, caseLower    = "keep", "lower"
	slashRemove, slashKeep = "remove", "keep"
	deadTracker, deadLog   = "tracker", "log"
)

// defaultSpec is the spec of an empty file, but for its algorithms.
func defaultSpec() rulesSpec {
	return rulesSpec{
		URLs: urlsSpec{
			Drop: defaultDropParams(), Case: caseKeep, TrailingSlash: slashRemove, Rewrites: []rewriteSpec{}, Groups: []groupSpec{},
		},
		InternalTags: []string{},
		Exclude:      []string{},
		Include:      []string{},
		Sites:        make(map[string]siteSpec),
		Bots:         botsSpec{Patterns: []string{}},
		Rage:         rageSpec{Clicks: 3, Radius: 24, Window: 1000},
		Dead:         deadSpec{From: deadTracker, Window: 2000},
		RepeatClicks: repeatSpec{Radius: 8},
		Cell:         8,
	}
}

// canonical puts in order what has none, so that rules that mean the same have the same text.
func (s *rulesSpec) canonical() {
	s.URLs.Drop = sortedSet(s.URLs.Drop)
	s.URLs.Keep = sortedSet(s.URLs.Keep)
	s.InternalTags = sortedSet(s.InternalTags)
	s.Bots.Patterns = sortedSet(s.Bots.Patterns)
	maps.DeleteFunc(s.Sites, func(_ string, site siteSpec) bool { return site.Timezone == "" })
	if s.Dead.From == deadTracker {
		s.Dead.Window = defaultSpec().Dead.Window
	}
	if s.RepeatClicks.Window == 0 {
		s.RepeatClicks.Radius = defaultSpec().RepeatClicks.Radius
	}
	s.Algorithms = s.algorithms()
}

// algorithms names those that the rules use.
func (s *rulesSpec) algorithms() []string {
	used := map[string]bool{
		"expressions/1":   len(s.Exclude)+len(s.Include) > 0,
		"groups/1":        len(s.URLs.Groups) > 0,
		"rewrites/1":      len(s.URLs.Rewrites) > 0,
		"dead/1":          s.Dead.From == deadTracker,
		"dead-log/1":      s.Dead.From == deadLog,
		elementsName:      !slices.Contains(s.without, elementsName),
		sampledName:       !slices.Contains(s.without, sampledName),
		"repeat-clicks/1": s.RepeatClicks.Window > 0,
	}
	return slices.DeleteFunc(Algorithms(), func(name string) bool {
		use, optional := used[name]
		return optional && !use
	})
}

// sortedSet keeps nil as it is: for keep_params it means something else than an empty list.
func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// text gives the canonical text.
func (s *rulesSpec) text() []byte {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		panic("index: encode rules: " + err.Error())
	}
	return []byte(out.String())
}

// ParseSpec reads recorded rules by which something was counted. One that an earlier build wrote names fewer keys: those that
// it had no other choice for, and whose defaults are that choice; without elements/1 no anchors are counted, without sampled/1 no
// sampled hits. The error says which algorithms made the counts and are not here any more, or not what these rules stand for now.
func ParseSpec(spec []byte) (*Rules, error) {
	var recorded, now struct{ Algorithms []string }
	if err := json.Unmarshal(spec, &recorded); err != nil {
		return nil, fmt.Errorf("recorded rules: %w", err)
	}
	if lost := lacking(recorded.Algorithms, Algorithms()); len(lost) > 0 {
		return nil, fmt.Errorf("this build does not have %s", strings.Join(lost, ", "))
	}
	r, err := parseRules(spec, lacking(keyless(), recorded.Algorithms)...)
	if err != nil {
		return nil, fmt.Errorf("recorded %w", err)
	}
	if err := json.Unmarshal(r.spec, &now); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if others := lacking(recorded.Algorithms, now.Algorithms); len(others) > 0 {
		return nil, fmt.Errorf("this build counts the same rules otherwise than by %s", strings.Join(others, ", "))
	}
	return r, nil
}

// lacking gives the names of list that are not among others.
func lacking(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(others, name) })
}

// SameKeys reports whether two specs have the same values of all keys. They may still count otherwise: by algorithms that are
// no key's choice.
func SameKeys(a, b []byte) bool {
	var specs [2]map[string]any
	for i, text := range [][]byte{a, b} {
		if err := json.Unmarshal(text, &specs[i]); err != nil {
			return false
		}
		delete(specs[i], "algorithms")
	}
	return reflect.DeepEqual(specs[0], specs[1])
}

// sameRules reports whether a recorded spec means the same as spec.
func sameRules(have, spec []byte) bool {
	if have == nil {
		return false
	}
	r, err := ParseSpec(have)
	return err == nil && bytes.Equal(r.Spec(), spec)
}

// otherRules says why a generation with a recorded spec cannot be gone on with.
func otherRules(generation string, have []byte) error {
	if _, err := ParseSpec(have); err != nil {
		return fmt.Errorf("generation %s was made by other rules: %w: start with an empty store to count the whole journal again", generation, err)
	}
	return fmt.Errorf("generation %s was made by other rules: start with the rules that made it, or with an empty store to count the whole journal again", generation)
}
