package heatmap

import "time"

// Report is what the comparison of a generation with the active one has found, at positions that are the same for both. Lists
// of pages are bounded: beside each stands how many there are.
type Report struct {
	Generation string            `json:"generation"`
	Active     string            `json:"active"` // that it was compared with
	Compared   time.Time         `json:"compared,omitzero"`
	TookMS     int64             `json:"took_ms"`
	Scope      Scope             `json:"scope,omitzero"`      // of what is counted anew; what lies outside is left out of both sides
	SameRules  bool              `json:"same_rules,omitzero"` // both count alike: the replay was made to repair or to prove
	Positions  map[string]uint64 `json:"positions,omitzero"`  // by source: both are compared as of every hit below it
	KeptFrom   map[string]uint64 `json:"kept_from,omitzero"`  // by source: the first hit that the journal still has, if it is not the first ever
	Problems   []string          `json:"problems,omitzero"`   // what must hold and does not: a generation that has one fails
	Warnings   []string          `json:"warnings,omitzero"`   // what whoever switches may not have meant: one that has any is not switched to by itself
	Notes      []string          `json:"notes,omitzero"`      // what is wrong with the active one, or could not be compared
	Checks     []Check           `json:"checks,omitzero"`
	Before     *ReportSide       `json:"before,omitzero"` // by the active one's rules
	After      *ReportSide       `json:"after,omitzero"`  // by the generation's
	Pages      *PageChanges      `json:"pages,omitzero"`
}

// Check is one sort of thing that was compared.
type Check struct {
	Name   string `json:"name"`   // counters, active, documents, sums, months or keys
	What   string `json:"what"`   // for people
	Done   uint64 `json:"done"`   // things compared
	Failed uint64 `json:"failed"` // of these
}

// ReportSide is what the journal's hits are by one set of rules, counted from the journal for the report.
type ReportSide struct {
	Counts   *Counts `json:"counts"`
	Visitors uint64  `json:"visitors"`           // distinct people of all sites, exact up to ExactVisitors
	Pages    uint64  `json:"pages"`              // with hits of people
	FirstDay string  `json:"first_day,omitzero"` // YYYY-MM-DD, of the sites' local days; "" if nothing is counted
	LastDay  string  `json:"last_day,omitzero"`
}

// PageChanges say what became of the pages, by hits of people: bots are left out as in answers.
type PageChanges struct {
	Same        uint64       `json:"same"`    // pages with as many hits before as after
	Changed     uint64       `json:"changed"` // pages of both with another number of hits
	Appeared    uint64       `json:"appeared"`
	Disappeared uint64       `json:"disappeared"`
	Merged      uint64       `json:"merged"`          // pages that take hits which counted as another page before
	Moved       uint64       `json:"moved"`           // these hits
	Apart       uint64       `json:"apart,omitzero"`  // hits, before or after, of pages beyond those that a report tells apart
	Top         []PageChange `json:"top,omitzero"`    // of all three sorts, the greatest difference first
	Merges      []PageMerge  `json:"merges,omitzero"` // most moved hits first
}

// PageChange is a page with its hits before and after.
type PageChange struct {
	Site   string  `json:"site"`
	Page   string  `json:"page"` // cut to MaxReportPage bytes
	Before uint64  `json:"before"`
	After  uint64  `json:"after"`
	Share  float64 `json:"share"` // the difference as a share of all hits before, -1 to 1 and beyond
}

// PageMerge is a page that takes hits of others.
type PageMerge struct {
	Site string     `json:"site"`
	Page string     `json:"page"`
	Hits uint64     `json:"hits"` // that counted as another page before
	Of   uint64     `json:"of"`   // pages that they counted as
	From []PageHits `json:"from"` // most hits first
}

// PageHits are hits of a page.
type PageHits struct {
	Page string `json:"page"`
	Hits uint64 `json:"hits"`
}

// Limits of a report, so that its record stays small.
const (
	MaxReportPages    = 20  // in Top and in Merges
	MaxReportFrom     = 5   // in PageMerge.From
	MaxReportPage     = 512 // bytes of a page's name
	MaxReportProblems = 20
)

// OK reports whether everything held that must hold.
func (r *Report) OK() bool { return len(r.Problems) == 0 }
