package heatmap

import "time"

// Bound is one end of a Query's range of time: nothing, a civil day in the site's zone, or an instant.
type Bound struct {
	Set     bool
	IsDate  bool  // Date holds, else Instant
	Date    Date  // as From the day's start, as To the day's end
	Instant int64 // Unix ms; as From inclusive, as To exclusive
}

// Query is what an analyst asks: which hits of which pages, and for a heatmap what to draw of them. The zero value of
// each optional field means no restriction.
type Query struct {
	Site  string
	URL   string  // a URL or a pattern: * within one path segment, ** anything; "" = every page of the site
	Kind  Kind    // of the heatmap or the elements, KindClick by default
	Cell  int     // side of an answer's cell, px, a multiple of that of the generation; 0 = that
	Noise float64 // Heatmap: lone cells with less than this share of the greatest weight are left out, 0 to 1
	From  Bound
	To    Bound
	Last  int      // days up to today, today among them, in place of From and To; 0 = none
	Width struct { // viewport widths, both inclusive
		Set      bool
		Min, Max uint16
	}
	Device struct {
		Set   bool
		Value Device
	}
	Bots       bool   // count bots too
	Where      string // expression over a hit's fields, "" = all
	Generation string // "" = the active one
	Search     string // PageList: pages whose URL contains it, "" = all
	Offset     int    // PageList: pages to skip
	Limit      int    // PageList, ElementList: pages or elements at most, 0 = all
	Cells      bool   // ElementList: where inside elements, and where on the page without one
	Hourly     bool   // Trend: by hour, else by day

	// Trend, PageList: a window of time that slides. A trend has a bucket every so often, each of all hits of the window that ends
	// with it; a list is of the last window. Window is a multiple of Every; both are whole seconds, 0 = no window.
	Window, Every time.Duration

	Step time.Duration // Timeline: length of a step, whole seconds; 0 = as the range is long
}

// ParamError says that a query cannot be answered as it was put. Field is the name of the query parameter.
type ParamError struct {
	Field, Message string
}

// Error gives field and message.
func (e *ParamError) Error() string { return e.Field + ": " + e.Message }

// GoneError says that what a query asks for was deleted.
type GoneError struct {
	Field, Message string
}

// Error gives field and message.
func (e *GoneError) Error() string { return e.Field + ": " + e.Message }

// UnavailableError says that something cannot be answered or done at present, through no fault of who asked: it can be asked
// again. The message is for whoever asked, Err is the cause.
type UnavailableError struct {
	Message string
	Err     error // nil if the message says all
}

// Error gives the message.
func (e *UnavailableError) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Prefix says which part of the log an answer holds: of each source every hit below its position.
type Prefix struct {
	Generation string
	Positions  map[string]uint64 // by source
	Lag        uint64            // hits that are durable and not yet in the answer
	KeptFrom   map[string]uint64 // by source: hits below the position are not in the answer, because it was read from the journal and they were pruned
}

// Point is a cell of an answer with its weight: X and Y are its upper left corner in page px.
type Point struct {
	X, Y   int
	Weight uint64
}

// Heatmap answers a Query for a grid of points.
type Heatmap struct {
	Prefix
	Page     string  // the normalised URL or pattern that was asked for
	Points   []Point // every cell that has hits but for noise, heaviest first, then by Y, then by X
	Hits     uint64  // sum of all weights, and of noise
	Noise    Noise   // what Query.Noise left out
	Visitors uint64  // distinct, whatever the kind, width and device
	Sampled  Sampled // among all hits, whatever the kind, width and device
	Views    uint64  // view hits under the same filters
	Cell     int     // px
	From, To Date    // the days that were asked for, or the first and last with hits where a bound was open; To inclusive
	Dated    bool    // From and To hold: they are unknown for a pattern with an open bound, and without hits
	Scanned  bool    // the journal was read because blobs cannot answer
	Why      *Why    // set if Hits is 0
}

// Noise is what was left out of the points of an answer.
type Noise struct {
	Cells int
	Hits  uint64
}

// Max is the greatest weight, 0 without points.
func (h *Heatmap) Max() uint64 {
	if len(h.Points) == 0 {
		return 0
	}
	return h.Points[0].Weight
}

// Scroll answers a Query for reach, attention and fold.
type Scroll struct {
	Prefix
	Page        string
	Views       uint64    // scroll hits that begin a view
	Reach       []float64 // share of views that saw the top of band i, 0 to 1, BandSize px each
	Attention   []float64 // mean ms a view that band i was visible
	FoldAverage float64   // mean viewport height over the hits that begin a view and know it, px
	FoldP50     float64   // exact median of the same, px
	Visitors    uint64
	Sampled     Sampled // as in Heatmap
	From, To    Date
	Dated       bool
	Scanned     bool
	Why         *Why // set if Views is 0
}

// PageCount is a page with what was counted on it, under the query's filters.
type PageCount struct {
	Page                         string
	Hits                         uint64 // views, clicks, scrolls and moves
	Views, Clicks, Scrolls, Move uint64
	Rage, Dead                   uint64
	Sampled                      Sampled // among all hits, whatever their width and device
	Visitors                     uint64  // of a window alone: distinct, whatever the kind, width and device
}

// PageList answers a Query for pages, those with most hits first, then by page.
type PageList struct {
	Prefix
	Pages   []PageCount
	Total   int // pages that match, before Offset and Limit
	Hits    uint64
	Sampled Sampled // of all pages that match
	Why     *Why    // set if Total is 0
}

// MaxTrendBuckets is how many buckets a Trend has at most.
const MaxTrendBuckets = 10_000

// TrendBucket is what was counted in one day, hour or window, under the query's filters.
type TrendBucket struct {
	Start                         int64 // Unix ms: the first instant of the day, hour or window
	End                           int64 // Unix ms, of a window alone: the first instant behind it
	Views, Clicks, Scrolls, Moves uint64
	Rage, Dead                    uint64 // clicks that were also counted as such
	Visitors                      uint64 // distinct, whatever the kind, width and device
}

// Hits is the number of hits that were recorded: views, clicks, scrolls and moves.
func (b *TrendBucket) Hits() uint64 { return b.Views + b.Clicks + b.Scrolls + b.Moves }

// Trend answers a Query for hits over time. Buckets follow on one another without a gap, each from its Start to that of the
// next, from the first to the last that was asked for; where a bound is open, from the first or to the last that has hits.
//
// Windows, in place of days and hours, overlap: each begins Query.Every after the one before it. The last one ends with the span of
// Query.Every that is running, unless To is before; without From there are as many as fit into one.
//
// A day or hour is one of the clocks in Zone: when they change, a day has 23 or 25 hours, and where they change by half an
// hour, half hours. A day or hour that no clock showed is left out.
type Trend struct {
	Prefix
	Page     string
	Hourly   bool
	Zone     *time.Location // in which the days and hours are, nil = UTC
	Buckets  []TrendBucket
	Hits     uint64  // of all buckets; of windows, which overlap, each hit counts once
	Views    uint64  // the same
	Visitors uint64  // distinct over all pages and the range that was asked for, whatever the kind, width and device
	Sampled  Sampled // as Visitors
	From, To Date    // the days of the first and the last bucket
	Dated    bool    // From and To hold: there are buckets
	Scanned  bool
	Why      *Why // set if Hits is 0
}

// Why says why an answer is empty.
type Why struct {
	Reason  string   // unknown_site, no_hits_for_url, outside_range, other_width, other_kind, other_device, only_bots, no_hits
	Message string   // one sentence for a person
	Nearest []string // no_hits_for_url: known pages with the most similar URLs, nearest first
	From    Date     // outside_range: first day that has hits
	To      Date     // outside_range: last day that has hits
	Widths  [][2]int // other_width: ranges of widths that have hits, px
	Kinds   []string // other_kind: kinds that have hits
	Devices []string // other_device: devices that have hits
}

// Reasons why an answer is empty.
const (
	WhyUnknownSite  = "unknown_site"
	WhyNoHitsForURL = "no_hits_for_url"
	WhyOutsideRange = "outside_range"
	WhyOtherWidth   = "other_width"
	WhyOtherKind    = "other_kind"
	WhyOtherDevice  = "other_device"
	WhyOnlyBots     = "only_bots"
	WhyNoHits       = "no_hits" // where= or an hour range leaves nothing
)
