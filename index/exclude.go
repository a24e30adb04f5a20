package index

import (
	"fmt"
	"slices"
)

// RuleCount is how many hits a rule left out, or set apart.
type RuleCount struct {
	Rule       string // its key in the file, with its number from 0 where there are several
	Expression string // its text, "" for another sort of rule
	Hits       uint64
}

// exclusions is the number of rules that leave hits out: internal_tags, each of exclude, and include.
func (r *Rules) exclusions() int { return len(r.exclude) + 2 }

// Counts names the counts of a stream of these rules, in the order in which the rules are asked: internal_tags, each
// expression of exclude, include (hits of which none of its expressions was true), repeat_clicks, and bots, whose hits are
// counted apart. A hit that is left out counts for the first rule that does so.
func (r *Rules) Counts(s StreamStats) []RuleCount {
	by := s.ExcludedBy
	list := []RuleCount{{Rule: "internal_tags", Hits: by[0]}}
	for i, x := range r.exclude {
		list = append(list, RuleCount{fmt.Sprintf("exclude[%d]", i), x.text, by[1+i]})
	}
	return append(list,
		RuleCount{Rule: "include", Hits: by[len(by)-1]}, RuleCount{Rule: "repeat_clicks", Hits: s.RepeatedClicks}, RuleCount{Rule: "bots", Hits: s.Bots})
}

// LeftOut names the counts of StreamStats.ExcludedBy for the rules that there are: internal_tags, each expression of exclude, with
// its text, and include.
func (r *Rules) LeftOut(by []uint64) (list []RuleCount) {
	for i, c := range r.Counts(StreamStats{ExcludedBy: append(slices.Clone(by), make([]uint64, max(0, r.exclusions()-len(by)))...)})[:r.exclusions()] {
		if i == 0 && len(r.internal) == 0 || i == r.exclusions()-1 && len(r.include) == 0 {
			continue
		}
		list = append(list, c)
	}
	return list
}

// excluded reports whether the rules leave the stream's event out, and counts it if told to.
func (s *Stream) excluded(count bool) bool {
	if !s.rules.excludes() {
		return false
	}
	rule := s.excludedBy(count)
	if rule >= 0 && count {
		s.stats.Excluded++
		s.stats.ExcludedBy[rule]++
	}
	return rule >= 0
}

// excludes reports whether there is a rule that leaves hits out.
func (r *Rules) excludes() bool { return len(r.internal)+len(r.exclude)+len(r.include) > 0 }
