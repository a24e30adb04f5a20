package index

import (
	"maps"
	"slices"
	"time"
)

// Rules say how hits are counted: under which page, in which zone's days, and which are left out. They are immutable
// and safe for concurrent use.
type Rules struct {
	params   urlParams
	rewrites []*rewrite
	groups   []pageGroup
	exclude  []*expression
	include  []*expression
	internal []string // tags
	zones    map[string]*time.Location
	agents   *agents
	rage     rageRules
	dead     deadRules
	repeat   nearness // of repeat-clicks/1; a window of 0 ms is off
	cell     int      // px
	elements bool     // elements/1: clicks are counted inside their elements too
	sampled  bool     // sampled/1: hits that are from a share of page loads are counted as such too
	spec     []byte
}

// Algorithms gives the names of the algorithms that this build has. What a name stands for never changes; an algorithm
// that gives another result has another name. Which of them some rules use is in their Spec.
func Algorithms() []string {
	return []string{
		"bots/1", "canon/1", "dead/1", "dead-log/1", "device/1", elementsName, "expressions/1", "grid/1", "groups/1", "hll/1", "rage/1", "repeat-clicks/1",
		"repeats/2", "rewrites/1", sampledName,
	}
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
// on, defaults and algorithms too, and that ParseSpec reads back to the same rules. Equal rules give equal bytes.
func (r *Rules) Spec() []byte { return slices.Clone(r.spec) }

// Page gives the page that a URL is counted as: its normal form, rewritten, or the page of the first group that matches
// that. A page is its own page. The error says why url is not an absolute http or https URL that a hit could have.
func (r *Rules) Page(url string) (string, error) {
	if err := checkURL(url); err != nil {
		return "", err
	}
	_, page, _ := r.counted(r.params.normalURL(url))
	return page, nil
}

// Sites are those that the rules name, sorted.
func (r *Rules) Sites() []string { return slices.Sorted(maps.Keys(r.zones)) }

func isControl(c rune) bool { return c < 0x20 || c == 0x7f }

// CountsElements reports whether clicks are counted inside their elements too. All rules do that but recorded ones of before.
func (r *Rules) CountsElements() bool { return r.elements }

// CountsSampled reports whether hits from a share of page loads are counted as such. All rules do that but recorded ones of before.
func (r *Rules) CountsSampled() bool { return r.sampled }

// CellSize is the side of the cells on which hits are counted, px: 8, 16, 32 or 64.
func (r *Rules) CellSize() int { return r.cell }

// Zone is the time zone that the rules name for a site, nil if they name none.
func (r *Rules) Zone(site string) *time.Location { return r.zones[site] }
