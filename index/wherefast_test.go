package index

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// exprWriter writes random expressions that are of a type as a rule, and random hits over which they are sometimes true.
type exprWriter struct{ *rand.Rand }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// names gives those of a type of ExpressionFields.
func fieldsOfType(kind string) (names []string) {
	for _, f := range ExpressionFields() {
		if f.Type == kind {
			names = append(names, f.Name)
		}
	}
	return names
}

func (w exprWriter) number() string {
	if w.IntN(4) == 0 {
		return pick(w.Rand, "0.5", "1.0", "0.0", "2.25", "1e300", "3.", ".25")
	}
	return pick(w.Rand, "0", "1", "2", "3", "-1", "7", "12", "720", "800", "1200", "65535", "4611686018427387904", "0x10")
}

func (w exprWriter) quoted() string {
	return fmt.Sprintf("%q", pick(w.Rand, "", "a", "b", "ab", "mobile", "desktop", "click", "scroll", "mouse", "shop", "é", "A", " a "))
}

// num writes a number.
func (w exprWriter) num(depth int) string {
	if depth <= 0 || w.IntN(4) == 0 {
		switch w.IntN(5) {
		case 0, 1:
			return w.number()
		case 2:
			return pick(w.Rand, "ax", "ay", "time."+pick(w.Rand, "Hour", "Year", "Minute", "Second", "Day", "YearDay", "Unix")+"()")
		}
		return pick(w.Rand, fieldsOfType("int")...)
	}
	d := depth - 1
	switch w.IntN(9) {
	case 0:
		return "-" + w.num(d)
	case 1:
		return fmt.Sprintf("(%s ? %s : %s)", w.is(d), w.num(d), w.num(d))
	case 2:
		return fmt.Sprintf("len(%s)", pick(w.Rand, "tags", w.text(d)))
	case 3:
		return fmt.Sprintf("%s(%s)", pick(w.Rand, "abs", "int", "float", "ceil", "+"), w.num(d))
	case 4:
		return fmt.Sprintf("%s(%s, %s)", pick(w.Rand, "indexOf", "lastIndexOf"), w.text(d), w.text(d))
	case 5:
		return fmt.Sprintf("max(%s, %s)", w.num(d), w.num(d))
	}
	return fmt.Sprintf("(%s %s %s)", w.num(d), pick(w.Rand, "+", "-", "*", "/", "%", "%", "**", "^"), w.num(d))
}

// text writes a string.
func (w exprWriter) text(depth int) string {
	if depth <= 0 || w.IntN(3) == 0 {
		if w.IntN(3) == 0 {
			return w.quoted()
		}
		return pick(w.Rand, fieldsOfType("string")...)
	}
	d := depth - 1
	switch w.IntN(6) {
	case 0:
		return fmt.Sprintf("(%s + %s)", w.text(d), w.text(d))
	case 1:
		return fmt.Sprintf("(%s ? %s : %s)", w.is(d), w.text(d), w.text(d))
	case 2:
		return fmt.Sprintf("%s(%s, %s)", pick(w.Rand, "trim", "trimPrefix", "trimSuffix"), w.text(d), w.text(d))
	case 3:
		return "tags[" + pick(w.Rand, "0", "1", "-1", w.num(0)) + "]"
	}
	return fmt.Sprintf("%s(%s)", pick(w.Rand, "lower", "upper", "trim"), w.text(d))
}

// list writes constants, or none.
func (w exprWriter) list(one func() string) string {
	items := make([]string, w.IntN(12))
	for i := range items {
		items[i] = one()
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// is writes a condition.
func (w exprWriter) is(depth int) string {
	d := depth - 1
	if depth <= 0 {
		return pick(w.Rand, append(fieldsOfType("bool"), "true", "false")...)
	}
	order := func() string { return pick(w.Rand, "==", "!=", "<", ">", "<=", ">=") }
	switch w.IntN(15) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", w.is(d), pick(w.Rand, "and", "or", "&&", "||", "==", "!="), w.is(d))
	case 3:
		return pick(w.Rand, "not ", "!") + "(" + w.is(d) + ")"
	case 4:
		return fmt.Sprintf("(%s ? %s : %s)", w.is(d), w.is(d), w.is(d))
	case 5, 6:
		return fmt.Sprintf("%s %s %s", w.num(d), order(), w.num(d))
	case 7:
		return fmt.Sprintf("%s %s %s", w.text(d), order(), w.text(d))
	case 8, 9:
		return fmt.Sprintf("%s %s %s", w.text(d), pick(w.Rand, "contains", "startsWith", "endsWith", "not contains"), w.text(d))
	case 10:
		return fmt.Sprintf("%s %sin %s", w.text(d), pick(w.Rand, "", "not "), pick(w.Rand, "tags", w.list(w.quoted)))
	case 11:
		return fmt.Sprintf("%s in %s", w.num(d), w.list(w.number))
	case 12:
		return fmt.Sprintf("%s matches %s", w.text(d), pick(w.Rand, `"^a"`, `"[a-c]+$"`, `""`, `"p/\\d"`))
	case 13:
		date := pick(w.Rand, "2026-01-01", "2026-01-01 12:00:00", "2026-01-01T00:00:00+01:00")
		return fmt.Sprintf(`time %s date("%s")`, order(), date)
	}
	condition := pick(w.Rand,
		`# == "a"`, `# startsWith "a" and x > 3`, `x % y == 0 or # in tags`, `len(#) > 1`, `hasPrefix(#, "b")`, `# matches "a"`, w.is(d))
	more := pick(w.Rand, "", "", ` and count(tags, # == "b") > 0`)
	return fmt.Sprintf("%s(tags, %s)%s", pick(w.Rand, "any", "all", "none", "one"), condition, more)
}

// event gives one whose fields have few values, so that comparisons are often true.
func (w exprWriter) event(zones []*time.Location) *Event {
	r := w.Rand
	word := func() string { return pick(r, "", "a", "b", "ab", "shop", "https://a.example/p/12", "é", " A") }
	side := func() uint16 { return pick(r, uint16(0), 1, 2, 7, 12, 720, 800, 1200, 65535) }
	h := &heatmap.Hit{
		Time: pick(r, 1767225600000, 1767268800000, 0, -1, r.Int64N(4e12)), Site: word(), URL: word(), View: word(), Visitor: word(),
		Selector: word(), Container: word(), UserAgent: word(), ID: word(), X: side(), Y: side(), ViewportW: side(), ViewportH: side(),
		DocumentW: side(), DocumentH: side(), Depth: side(), From: side(), BoxW: side(), BoxH: side(), ContainerX: side(), ContainerY: side(),
		Check: side(), HasCheck: r.IntN(2) == 0,
		AnchorX: r.Uint32N(3) << 15, AnchorY: r.Uint32N(5) << 14, Dwell: uint32(side()), Layout: r.Uint32(),
		Kind: heatmap.Kind(r.IntN(7)), Pointer: heatmap.Pointer(r.IntN(5)), Flags: heatmap.Flags(r.IntN(16)),
	}
	for range r.IntN(4) {
		h.Tags = append(h.Tags, word())
	}
	return &Event{Hit: h, URL: word(), Page: word(), Device: heatmap.Device(r.IntN(3)), Bot: r.IntN(2) == 0, zone: pick(r, zones...)}
}

// checkFast compares what an expression is over events with what the machine of the language says. It reports whether the
// expression was taken, and was fast.
func checkFast(t testing.TB, text string, events []*Event) (taken, fast bool) {
	t.Helper()
	x, err := compileExpression(text)
	if err != nil {
		return false, false
	}
	var v evaluator
	for _, e := range events {
		v.set(e)
		got, failed := v.run(x)
		want, err := v.runMachine(x)
		if got != want || (failed == nil) != (err == nil) {
			t.Fatalf("%s\nis %t, %v; the machine says %t, %v\nof %+v\n%+v", text, got, failed, want, err, *e, *e.Hit)
		}
	}
	return true, x.fast != nil
}

func whereZones(t testing.TB) []*time.Location {
	t.Helper()
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Europe/Prague", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	return zones
}

// TestWhereFast evaluates random expressions over random hits, without the machine and by it.
func TestWhereFast(t *testing.T) {
	t.Parallel()
	w := exprWriter{rand.New(rand.NewPCG(9, 9))}
	zones := whereZones(t)
	var events []*Event
	for range 100 {
		events = append(events, w.event(zones))
	}
	runs, quick := 0, 0
	for range 3000 {
		from := w.IntN(len(events) - 40)
		taken, fast := checkFast(t, w.is(1+w.IntN(4)), events[from:from+40])
		if taken {
			runs += 40
		}
		if fast {
			quick += 40
		}
	}
	t.Logf("%d runs, %d of expressions that need no machine", runs, quick)
	if quick < 40_000 || quick == runs {
		t.Errorf("%d of %d runs are of expressions that need no machine", quick, runs)
	}
}

// FuzzWhereFast does the same with expressions that nobody wrote, and hits of a seed.
func FuzzWhereFast(f *testing.F) {
	for _, text := range []string{
		`device == "mobile" && y > 1200`, `vw < 800 && y > 1000`, `x % (y - 1480) == 0 or bot`,
		`kind in ["click", "move"] and "a" in tags`, `x in [1, 2.5, 7]`,
		`any(tags, # startsWith "a") and hour >= 9`, `len(url) * 2 / 3 > 1.5 ? fixed : dead`,
		`time > date("2026-01-01")`, `lower(site) + "b" matches "^ab"`,
		`not (x ** 2 > y) == rage`, `tags[0] == "a"`, `-x + 3 - -y < abs(dw - dh)`, `0 % x == 0 and x % 0 == 1`, `ax == 1 or ay * 2 in [1]`,
	} {
		f.Add(text, uint64(1))
	}
	zones := whereZones(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		w := exprWriter{rand.New(rand.NewPCG(seed, 1))}
		var events []*Event
		for range 10 {
			events = append(events, w.event(zones))
		}
		checkFast(t, text, events)
		checkFast(t, w.is(4), events)
	})
}

// TestWhereFastCommon holds that what people ask for needs no machine.
func TestWhereFastCommon(t *testing.T) {
	for _, text := range []string{
		`device == "mobile" && y > 1200`, `vw < 800 && y > 1000`, `visitor == "v-77"`,
		`url contains "/internal/"`, `"variant:b" in tags`, `kind in ["click", "move"]`,
		`hour >= 9 and hour < 17 and weekday in [1, 2, 3, 4, 5]`, `time.Hour() == 9 and time > date("2026-01-31")`,
		`sel startsWith "main>" and not fixed`,
		`any(tags, # startsWith "variant:")`, `lower(ua) contains "firefox"`, `x / vw > 0.5`,
		`(y - 20) % 100 == 0`, `page matches "/p/\\d+"`, `x > 100 ? dead : rage`,
	} {
		if _, fast := checkFast(t, text, []*Event{whereEvent(t)}); !fast {
			t.Errorf("%s needs the machine", text)
		}
	}
}
