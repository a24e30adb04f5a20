package heatmap

import (
	"errors"
	"time"
)

// Asked is what a question asks for: one of the reading routes.
type Asked uint8

// What can be asked and kept alive.
const (
	AskHeatmap Asked = iota + 1
	AskScroll
	AskElements
	AskPages
	AskTrend
)

// askedNames are the names of what can be asked, as the last part of the route's path.
var askedNames = [...]string{AskHeatmap: "heatmap", AskScroll: "scroll", AskElements: "elements", AskPages: "pages", AskTrend: "trend"}

// String gives the name that the route has.
func (a Asked) String() string {
	if int(a) < len(askedNames) {
		return askedNames[a]
	}
	return ""
}

// ParseAsked is the inverse of String.
func ParseAsked(name string) (a Asked, ok bool) {
	for a, known := range askedNames {
		if known == name && known != "" {
			return Asked(a), true
		}
	}
	return 0, false
}

// Start is where in the log an answer begins. The zero value is the beginning.
type Start struct {
	Now bool  // only what comes from now on
	At  int64 // with the first hit that was appended at this time or later, Unix ms; 0 = unset
}

// Question is a query whose answer is to stay alive: it is brought up to date as the log grows.
type Question struct {
	Ask   Asked
	Query Query
	Start Start
}

// Update is what became of the answer to a Question since the update before it: exactly one of the answers is set. Rows are
// those of the answer: points, elements, pages or buckets. What is said beside the rows is always that of the whole answer.
type Update struct {
	Whole    bool     // rows are all rows, else those that changed, with their new values
	Complete bool     // all of the log from the start on is in it, up to Prefix; else history is still read
	History  Progress // while history is read: hits read and to read, and how long that will take

	Max   uint64 // Heatmap: the greatest weight of all its cells
	Cells int    // Heatmap: how many cells it has

	Heatmap  *Heatmap     // Points may be in any order; without Whole those that changed, a weight of 0 for one that is gone
	Scroll   *Scroll      // always whole
	Elements *ElementList // always whole
	Pages    *PageList    // always whole
	Trend    *Trend       // always whole
}

// Prefix gives that of the answer. It is exact at any time: the answer holds the hits below the positions, from the start on, and
// no others.
func (u *Update) Prefix() *Prefix {
	switch {
	case u.Heatmap != nil:
		return &u.Heatmap.Prefix
	case u.Scroll != nil:
		return &u.Scroll.Prefix
	case u.Elements != nil:
		return &u.Elements.Prefix
	case u.Pages != nil:
		return &u.Pages.Prefix
	}
	return &u.Trend.Prefix
}

// Reasons why an answer cannot be brought up to date any further and must be asked for anew.
var (
	ErrSwitched = errors.New("another generation is active")
	ErrNewDay   = errors.New("the range has moved on by a day")
	ErrRestart  = errors.New("the counts were opened anew")
)

// Timeline says when a page was clicked where: the hits of a range of time in steps, so that any of it can be played.
type Timeline struct {
	Prefix
	Page     string
	Zone     *time.Location // in which a day's steps begin at midnight
	Start    int64          // Unix ms, of step 0
	Step     int64          // ms
	Steps    int
	Cell     int // px
	Hits     uint64
	Frames   []Frame // those with hits, in order
	From, To Date    // To inclusive
	Why      *Why    // set if Hits is 0
}

// Frame is what came in one step: each cell's hits of it alone, by Y, then by X.
type Frame struct {
	Step   int // from 0
	Points []Point
}

// MaxTimelineSteps is how many steps a Timeline has at most, MaxTimelineDays how many days.
const (
	MaxTimelineSteps = 2000
	MaxTimelineDays  = 31
)
