package index

import (
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"heatlog/heatmap"
	"heatlog/journal"
)

// hitEval is what a fast expression is evaluated over. It is set for each hit.
type hitEval struct {
	event  *Event
	hit    *heatmap.Hit
	tag    string    // the one that a condition over tags looks at
	local  time.Time // of the hit in the site's zone, if timed
	timed  bool
	failed bool // the expression has no value
}

func (v *hitEval) set(e *Event) { v.event, v.hit, v.timed, v.failed = e, e.Hit, false, false }

// clock gives the hit's time in the site's zone.
func (v *hitEval) clock() *time.Time {
	if !v.timed {
		v.local, v.timed = time.UnixMilli(v.hit.Time).In(v.event.zone), true
	}
	return &v.local
}

// value gives a part of an expression.
type value[T any] func(*hitEval) T

// fastField gives a field of ExpressionFields as a value of its type, nil if it has none, and the fields of the journal that
// it comes from.
func fastField(name string) (get any, fields journal.Fields) {
	for _, find := range []func(string) (any, journal.Fields){eventField, textField, placeField, elementField, flagField} {
		if get, fields := find(name); get != nil {
			return get, fields
		}
	}
	return nil, journal.AllFields
}

// eventField gives a field that the stream tells, or the time.
func eventField(name string) (get any, fields journal.Fields) {
	const page = journal.FieldURL | journal.FieldSite
	const local = journal.FieldTime | journal.FieldSite
	switch name {
	case "bot":
		return value[bool](func(v *hitEval) bool { return v.event.Bot }), journal.FieldAgent
	case "device":
		return value[string](func(v *hitEval) string { return v.event.Device.String() }), journal.FieldAgent
	case "url":
		return value[string](func(v *hitEval) string { return v.event.URL }), page
	case "page":
		return value[string](func(v *hitEval) string { return v.event.Page }), page
	case "time":
		return value[time.Time](func(v *hitEval) time.Time { return *v.clock() }), local
	case "t":
		return value[int](func(v *hitEval) int { return int(v.hit.Time) }), journal.FieldTime
	case "hour":
		return value[int](func(v *hitEval) int { return v.clock().Hour() }), local
	case "weekday":
		return value[int](func(v *hitEval) int { return (int(v.clock().Weekday())+6)%7 + 1 }), local
	}
	return nil, 0
}

// textField gives a field that is recorded as text, or has a name.
func textField(name string) (get any, fields journal.Fields) {
	switch name {
	case "visitor":
		return value[string](func(v *hitEval) string { return v.hit.Visitor }), journal.FieldVisitor
	case "tags":
		return value[[]string](func(v *hitEval) []string { return v.hit.Tags }), journal.FieldTags
	case "raw_url":
		return value[string](func(v *hitEval) string { return v.hit.URL }), journal.FieldURL
	case "site":
		return value[string](func(v *hitEval) string { return v.hit.Site }), journal.FieldSite
	case "view":
		return value[string](func(v *hitEval) string { return v.hit.View }), journal.FieldView
	case "id":
		return value[string](func(v *hitEval) string { return v.hit.ID }), journal.FieldID
	case "ua":
		return value[string](func(v *hitEval) string { return v.hit.UserAgent }), journal.FieldAgent
	case "sel":
		return value[string](func(v *hitEval) string { return v.hit.Selector }), journal.FieldSelector
	case "inside":
		return value[string](func(v *hitEval) string { return v.hit.Container }), journal.FieldContainer
	case "kind":
		return value[string](func(v *hitEval) string { return v.hit.Kind.String() }), 0
	case "pointer":
		return value[string](func(v *hitEval) string { return v.hit.Pointer.String() }), journal.FieldPointer
	}
	return nil, 0
}

// placeField gives a field of where the hit is and of how large what is around it.
func placeField(name string) (get any, fields journal.Fields) {
	switch name {
	case "x":
		return value[int](func(v *hitEval) int { return int(v.hit.X) }), journal.FieldPlace
	case "y":
		return value[int](func(v *hitEval) int { return int(v.hit.Y) }), journal.FieldPlace
	case "vw":
		return value[int](func(v *hitEval) int { return int(v.hit.ViewportW) }), journal.FieldViewport
	case "vh":
		return value[int](func(v *hitEval) int { return int(v.hit.ViewportH) }), journal.FieldViewport
	case "dw":
		return value[int](func(v *hitEval) int { return int(v.hit.DocumentW) }), journal.FieldDocument
	case "dh":
		return value[int](func(v *hitEval) int { return int(v.hit.DocumentH) }), journal.FieldDocument
	case "depth":
		return value[int](func(v *hitEval) int { return int(v.hit.Depth) }), journal.FieldDepth
	case "from":
		return value[int](func(v *hitEval) int { return int(v.hit.From) }), journal.FieldDepth
	case "dwell":
		return value[int](func(v *hitEval) int { return int(v.hit.Dwell) }), journal.FieldDwell
	case "layout":
		return value[int](func(v *hitEval) int { return int(v.hit.Layout) }), journal.FieldLayout
	}
	return nil, 0
}

// elementField gives a field of the element and of the container that hold the hit.
func elementField(name string) (get any, fields journal.Fields) {
	switch name {
	case "ax":
		return value[float64](func(v *hitEval) float64 { return float64(v.hit.AnchorX) / heatmap.AnchorUnit }), journal.FieldAnchor
	case "ay":
		return value[float64](func(v *hitEval) float64 { return float64(v.hit.AnchorY) / heatmap.AnchorUnit }), journal.FieldAnchor
	case "bw":
		return value[int](func(v *hitEval) int { return int(v.hit.BoxW) }), journal.FieldBox
	case "bh":
		return value[int](func(v *hitEval) int { return int(v.hit.BoxH) }), journal.FieldBox
	case "check":
		return value[int](func(v *hitEval) int {
			if v.hit.HasCheck {
				return int(v.hit.Check)
			}
			return -1
		}), journal.FieldCheck
	case "ix":
		return value[int](func(v *hitEval) int { return int(v.hit.ContainerX) }), journal.FieldContainer
	case "iy":
		return value[int](func(v *hitEval) int { return int(v.hit.ContainerY) }), journal.FieldContainer
	}
	return nil, 0
}

// flagField gives a field that is one of the flags.
func flagField(name string) (get any, fields journal.Fields) {
	has := func(flag, want heatmap.Flags) (any, journal.Fields) {
		return value[bool](func(v *hitEval) bool { return v.hit.Flags&flag == want }), journal.FieldFlags
	}
	switch name {
	case "trusted":
		return has(heatmap.FlagUntrusted, 0)
	case "fixed":
		return has(heatmap.FlagFixed, heatmap.FlagFixed)
	case "dead":
		return has(heatmap.FlagDead, heatmap.FlagDead)
	case "rage":
		return has(heatmap.FlagRage, heatmap.FlagRage)
	}
	return nil, 0
}

// clockMethod gives a method of the time in the site's zone, nil if it is none that gives an int.
func clockMethod(name string) any {
	switch name {
	case "Hour":
		return value[int](func(v *hitEval) int { return v.clock().Hour() })
	case "Minute":
		return value[int](func(v *hitEval) int { return v.clock().Minute() })
	case "Second":
		return value[int](func(v *hitEval) int { return v.clock().Second() })
	case "Day":
		return value[int](func(v *hitEval) int { return v.clock().Day() })
	case "YearDay":
		return value[int](func(v *hitEval) int { return v.clock().YearDay() })
	case "Year":
		return value[int](func(v *hitEval) int { return v.clock().Year() })
	}
	return nil
}

// fieldFinder finds the fields of the journal that an expression's names come from.
type fieldFinder journal.Fields

// Visit adds those of one node.
func (f *fieldFinder) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok {
		_, fields := fastField(n.Value)
		*f |= fieldFinder(fields)
	}
}

// fields are those that a reader must fill in for the expression, besides what the event itself is made of.
func (x *expression) fields() journal.Fields { return x.needs }

// runes is what len gives of a string.
func runes(s string) int { return utf8.RuneCountInString(s) }
