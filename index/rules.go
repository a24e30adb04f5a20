package index

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"heatlog/heatmap"
)

// Rules say how hits are counted: under which page, in which zone's days, and which are left out. They are immutable
// and safe for concurrent use.
type Rules struct {
	params  urlParams
	groups  []pageGroup
	exclude []*expression
	zones   map[string]*time.Location
	agents  *agents
	spec    []byte
}

// pageGroup counts the URLs that match as one page.
type pageGroup struct {
	match *Pattern
	page  string
}

// Algorithms gives the names of the algorithms by which this build counts. What a name stands for never changes; an
// algorithm that gives another result has another name.
func Algorithms() []string {
	return []string{"bots/1", "canon/1", "device/1", "grid/1", "hll/1", "rage/1", "repeats/2"}
}

func defaultDropParams() []string { return []string{"utm_*", "gclid", "fbclid", "msclkid"} }

// DefaultRules are the rules of an empty file.
func DefaultRules() *Rules {
	r, err := ParseRules(nil)
	if err != nil {
		panic("index: parse empty rules: " + err.Error())
	}
	return r
}

// Spec gives the rules as canonical text, for hashing and recording: JSON that names everything that the counts depend
// on, defaults and algorithms too, and that ParseRules reads back to the same rules. Equal rules give equal bytes.
func (r *Rules) Spec() []byte { return slices.Clone(r.spec) }

// Page gives the page that a URL is counted as: its normal form, or the page of the first group that matches that. A
// page is its own page. The error says why url is not an absolute http or https URL that a hit could have.
func (r *Rules) Page(url string) (string, error) {
	if len(url) > heatmap.MaxURL {
		return "", fmt.Errorf("url has %d bytes, limit %d", len(url), heatmap.MaxURL)
	}
	if strings.ContainsFunc(url, isControl) {
		return "", fmt.Errorf("url %q has control characters", url)
	}
	if _, _, ok := cutScheme(url); !ok {
		return "", fmt.Errorf("url %q is not an absolute http or https URL", url)
	}
	return r.group(r.params.normalURL(url)), nil
}

func isControl(c rune) bool { return c < 0x20 || c == 0x7f }

// group gives the page that a normalised URL is counted as.
func (r *Rules) group(url string) string {
	for i := range r.groups {
		if r.groups[i].match.Match(url) {
			return r.groups[i].page
		}
	}
	return url
}

// Zone is the time zone that the rules name for a site, nil if they name none.
func (r *Rules) Zone(site string) *time.Location { return r.zones[site] }

// rulesSpec is a rules file with all defaults filled in.
type rulesSpec struct {
	Algorithms []string            `json:"algorithms"`
	URLs       urlsSpec            `json:"urls"`
	Exclude    []string            `json:"exclude"`
	Sites      map[string]siteSpec `json:"sites"`
	Bots       botsSpec            `json:"bots"`
}

type urlsSpec struct {
	Drop   []string    `json:"drop_params"`
	Keep   []string    `json:"keep_params,omitzero"` // nil = off
	Groups []groupSpec `json:"groups"`
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

// canonical puts in order what has none, so that rules that mean the same have the same text.
func (s *rulesSpec) canonical() {
	s.Algorithms = Algorithms()
	s.URLs.Drop = sortedSet(s.URLs.Drop)
	s.URLs.Keep = sortedSet(s.URLs.Keep)
	s.Bots.Patterns = sortedSet(s.Bots.Patterns)
	maps.DeleteFunc(s.Sites, func(_ string, site siteSpec) bool { return site.Timezone == "" })
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
