package index

import (
	"time"

	"heatlog/heatmap"
)

// ExpressionField is a name that an expression over a hit can use.
type ExpressionField struct {
	Name string
	Type string // of the expression language: bool, int, float, string, [string] or time
	Doc  string // what it is, with unit and range
}

// ExpressionFields gives all names that an expression can use, in the order in which they are documented.
func ExpressionFields() []ExpressionField {
	return []ExpressionField{
		{"bot", "bool", "the user agent is a bot's"},
		{"device", "string", "desktop, tablet or mobile, by the user agent"},
		{"visitor", "string", "daily hash of the visitor, or what an import gave"},
		{"tags", "[string]", "tags of the hit: write \"variant:b\" in tags"},
		{"trusted", "bool", "made by a person, not by a script"},
		{"url", "string", "normalised and rewritten"},
		{"raw_url", "string", "as recorded"},
		{"page", "string", "that the hit is counted as: url, or the page of its group"},
		{"site", "string", "site key"},
		{"view", "string", "id of the page view"},
		{"id", "string", "of an imported hit"},
		{"kind", "string", "view, click, scroll or move"},
		{"pointer", "string", "mouse, touch, pen or empty"},
		{"time", "time", "in the site's zone: time.Year(), Hour() and so on, time > date(\"2026-01-31\")"},
		{"t", "int", "the same, Unix ms"},
		{"hour", "int", "of time, 0 to 23"},
		{"weekday", "int", "of time, 1 = Monday to 7 = Sunday"},
		{"x", "int", "place on the page, px"},
		{"y", "int", "place on the page, px; of a scroll the top of what is visible"},
		{"vw", "int", "width of the viewport, px, 0 = unknown"},
		{"vh", "int", "height of the viewport, px, 0 = unknown"},
		{"dw", "int", "width of the document, px, 0 = unknown"},
		{"dh", "int", "height of the document, px, 0 = unknown"},
		{"depth", "int", "scroll: lowest px seen so far"},
		{"from", "int", "scroll: the depth before this hit, px"},
		{"dwell", "int", "scroll: how long the part stayed visible, ms"},
		{"layout", "int", "hash of the page's layout, 0 = unknown"},
		{"ax", "float", "place inside the element's box, 0 to 1"},
		{"ay", "float", "place inside the element's box, 0 to 1"},
		{"bw", "int", "width of the element's box, px, 0 = unknown"},
		{"bh", "int", "height of the element's box, px, 0 = unknown"},
		{"check", "int", "hash of the element's own text, -1 = unknown"},
		{"sel", "string", "selector of the element"},
		{"inside", "string", "selector of the scroll container that holds the element (in of an import line)"},
		{"ix", "int", "scroll offset of that container, px"},
		{"iy", "int", "scroll offset of that container, px"},
		{"ua", "string", "user agent"},
		{"fixed", "bool", "the element does not move with the page"},
		{"dead", "bool", "the tracker saw that the click changed nothing"},
		{"rage", "bool", "the tracker saw a burst of clicks"},
	}
}

// expressionNames are the names of ExpressionFields.
func expressionNames() []string {
	fields := ExpressionFields()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// hitEnv is what an expression can name of a hit: see ExpressionFields.
type hitEnv struct {
	Bot     bool      `expr:"bot"`
	URL     string    `expr:"url"`
	RawURL  string    `expr:"raw_url"`
	Page    string    `expr:"page"`
	Site    string    `expr:"site"`
	Visitor string    `expr:"visitor"`
	View    string    `expr:"view"`
	ID      string    `expr:"id"`
	Device  string    `expr:"device"`
	Kind    string    `expr:"kind"`
	Pointer string    `expr:"pointer"`
	Time    time.Time `expr:"time"`
	Millis  int       `expr:"t"`
	Hour    int       `expr:"hour"`
	Weekday int       `expr:"weekday"`
	X       int       `expr:"x"`
	Y       int       `expr:"y"`
	VW      int       `expr:"vw"`
	VH      int       `expr:"vh"`
	DW      int       `expr:"dw"`
	DH      int       `expr:"dh"`
	Depth   int       `expr:"depth"`
	From    int       `expr:"from"`
	Dwell   int       `expr:"dwell"`
	Layout  int       `expr:"layout"`
	AX      float64   `expr:"ax"`
	AY      float64   `expr:"ay"`
	BW      int       `expr:"bw"`
	BH      int       `expr:"bh"`
	Check   int       `expr:"check"`
	Sel     string    `expr:"sel"`
	Inside  string    `expr:"inside"`
	IX      int       `expr:"ix"`
	IY      int       `expr:"iy"`
	UA      string    `expr:"ua"`
	Tags    []string  `expr:"tags"`
	Trusted bool      `expr:"trusted"`
	Fixed   bool      `expr:"fixed"`
	Dead    bool      `expr:"dead"`
	Rage    bool      `expr:"rage"`
}

// set takes the fields of an event.
func (v *hitEnv) set(e *Event) {
	h := e.Hit
	v.Bot, v.Device = e.Bot, e.Device.String()
	v.URL, v.RawURL, v.Page = e.URL, h.URL, e.Page
	v.Site, v.Visitor, v.View, v.ID = h.Site, h.Visitor, h.View, h.ID
	v.Kind, v.Pointer = h.Kind.String(), h.Pointer.String()
	v.Millis = int(h.Time)
	v.X, v.Y, v.Depth, v.From = int(h.X), int(h.Y), int(h.Depth), int(h.From)
	v.VW, v.VH, v.DW, v.DH = int(h.ViewportW), int(h.ViewportH), int(h.DocumentW), int(h.DocumentH)
	v.Dwell, v.Layout = int(h.Dwell), int(h.Layout)
	v.AX, v.AY = float64(h.AnchorX)/heatmap.AnchorUnit, float64(h.AnchorY)/heatmap.AnchorUnit
	v.BW, v.BH, v.Check = int(h.BoxW), int(h.BoxH), -1
	if h.HasCheck {
		v.Check = int(h.Check)
	}
	v.Sel, v.UA, v.Tags = h.Selector, h.UserAgent, h.Tags
	v.Inside, v.IX, v.IY = h.Container, int(h.ContainerX), int(h.ContainerY)
	v.Trusted, v.Fixed = h.Flags&heatmap.FlagUntrusted == 0, h.Flags&heatmap.FlagFixed != 0
	v.Dead, v.Rage = h.Flags&heatmap.FlagDead != 0, h.Flags&heatmap.FlagRage != 0
}
