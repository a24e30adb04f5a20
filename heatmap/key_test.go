package heatmap

import (
	"math/rand/v2"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatalf("no time zone data: %v", err)
	}
	return loc
}

func TestWidthBandOf(t *testing.T) {
	f := func(w uint16, want WidthBand) {
		t.Helper()
		if got := WidthBandOf(w); got != want {
			t.Errorf("WidthBandOf(%d) = %d, want %d", w, got, want)
		}
	}
	f(0, UnknownWidth)
	f(1, 0)
	f(31, 0)
	f(32, 1)
	f(1280, 40)
	f(1311, 40)
	f(1312, 41)
	f(65535, 2047)
}

func TestDevice(t *testing.T) {
	for _, d := range []Device{Desktop, Tablet, Mobile} {
		if got, ok := ParseDevice(d.String()); !ok || got != d {
			t.Errorf("ParseDevice(%q) = %v, %v", d.String(), got, ok)
		}
	}
	if _, ok := ParseDevice("watch"); ok {
		t.Error("ParseDevice takes a watch")
	}
	if got := Device(9).String(); got != "device(9)" {
		t.Errorf("unknown device is %q", got)
	}
}

func TestLayerID(t *testing.T) {
	last := LayerID(0)
	for kind := KindView; kind <= KindDead; kind++ {
		for _, w := range []WidthBand{0, 1, 40, 2047, UnknownWidth} {
			for d := Desktop; d <= Mobile; d++ {
				for _, bot := range []bool{false, true} {
					id := NewLayerID(kind, w, d, bot)
					if id <= last {
						t.Errorf("%#x after %#x, want ascending", id, last)
					}
					last = id
					if id.Kind() != kind || id.WidthBand() != w || id.Device() != d || id.Bot() != bot || !id.Valid() {
						t.Errorf("%#x gives back %v %d %v %v %v", id, id.Kind(), id.WidthBand(), id.Device(), id.Bot(), id.Valid())
					}
				}
			}
		}
	}
	for _, id := range []LayerID{0, 1, 1<<16 | 8, 1<<16 | 3<<1, 7 << 16, 1<<16 | 2049<<4, 1<<24 | 1<<16} {
		if id.Valid() {
			t.Errorf("%#x is valid", id)
		}
	}
}

func TestParseDate(t *testing.T) {
	f := func(in string, want Date) {
		t.Helper()
		d, err := ParseDate(in)
		if err != nil || d != want || d.String() != in {
			t.Errorf("ParseDate(%q) = %d (%v), %v, want %d", in, d, d, err, want)
		}
	}
	f("1970-01-01", 0)
	f("1970-01-02", 1)
	f("1969-12-31", -1)
	f("2000-02-29", 11016)
	f("2026-01-31", 20484)
	for _, in := range []string{"", "2026-1-31", "2026-02-30", "2025-02-29", "26-01-31", "2026-01-31T00:00:00Z", " 2026-01-31"} {
		if d, err := ParseDate(in); err == nil {
			t.Errorf("ParseDate(%q) = %v, want an error", in, d)
		}
	}
}

// TestDayBounds holds what a day is, on days that are not 24 hours long and on one that does not exist.
func TestDayBounds(t *testing.T) {
	f := func(name, day, start string, hours float64) {
		t.Helper()
		loc := zone(t, name)
		d, err := ParseDate(day)
		if err != nil {
			t.Fatal(err)
		}
		from, to := d.Start(loc), (d + 1).Start(loc)
		if got := time.UnixMilli(from).UTC().Format(time.RFC3339); got != start {
			t.Errorf("%s begins in %s at %s, want %s", day, name, got, start)
		}
		if got := float64(to-from) / 3_600_000; got != hours {
			t.Errorf("%s has %g hours in %s, want %g", day, got, name, hours)
		}
	}
	f("UTC", "2026-03-29", "2026-03-29T00:00:00Z", 24)
	f("Europe/Prague", "2026-01-15", "2026-01-14T23:00:00Z", 24)
	f("Europe/Prague", "2026-03-29", "2026-03-28T23:00:00Z", 23)
	f("Europe/Prague", "2026-10-25", "2026-10-24T22:00:00Z", 25)
	f("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", 23)
	f("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", 25)
	f("Asia/Kolkata", "2026-06-01", "2026-05-31T18:30:00Z", 24)
	f("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", 24.5)
	f("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 23) // midnight does not exist
	f("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00Z", 23)       // nor here
	f("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", 25)    // the hour from midnight on comes twice
	f("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", 24)      // the next day does not exist
}

func TestDateOfAndStart(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"UTC", "Europe/Prague", "America/Sao_Paulo", "Asia/Tehran", "Pacific/Chatham", "Pacific/Apia", "America/Havana"} {
		loc := zone(t, name)
		for range 3000 {
			ms := MinTime + r.Int64N(40*365*86_400_000)
			d := DateOf(ms, loc)
			if got, want := d.String(), time.UnixMilli(ms).In(loc).Format(time.DateOnly); got != want {
				t.Fatalf("DateOf(%d) in %s = %s, want %s", ms, name, got, want)
			}
			if from, to := d.Start(loc), (d + 1).Start(loc); ms < from || ms >= to {
				t.Fatalf("%d in %s lies outside of %v, %d to %d", ms, name, d, from, to)
			}
			if from := d.Start(loc); DateOf(from, loc) != d || DateOf(from-1, loc) >= d {
				t.Fatalf("%v does not begin at %d in %s", d, from, name)
			}
		}
	}
}

func TestPeriod(t *testing.T) {
	f := func(day, month string, last Date) {
		t.Helper()
		d, err := ParseDate(day)
		if err != nil {
			t.Fatal(err)
		}
		p, m := DayPeriod(d), MonthPeriod(d)
		if p.IsMonth() || p.First() != d || p.Last() != d || p.String() != day {
			t.Errorf("DayPeriod(%s) = %v from %v to %v, month %v", day, p, p.First(), p.Last(), p.IsMonth())
		}
		if !m.IsMonth() || m.String() != month || m.First().String() != month+"-01" || m.Last().Time().Day() != int(last) {
			t.Errorf("MonthPeriod(%s) = %v from %v to %v, month %v", day, m, m.First(), m.Last(), m.IsMonth())
		}
		if m >= p {
			t.Errorf("month %v does not order before day %v", m, p)
		}
	}
	f("1970-01-01", "1970-01", 31)
	f("2000-02-29", "2000-02", 29)
	f("2025-02-01", "2025-02", 28)
	f("2026-04-30", "2026-04", 30)
	f("2026-12-31", "2026-12", 31)
	f("2149-06-06", "2149-06", 30)
}

func TestPeriodsOrder(t *testing.T) {
	first, _ := ParseDate("1999-11-20")
	for d := first; d < first+3000; d++ {
		if DayPeriod(d) >= DayPeriod(d+1) || MonthPeriod(d) > MonthPeriod(d+1) {
			t.Fatalf("periods of %v and the day after do not ascend", d)
		}
		if m := MonthPeriod(d); d < m.First() || d > m.Last() || MonthPeriod(m.Last()+1) != m+1 {
			t.Fatalf("%v lies outside of its month, %v to %v", d, m.First(), m.Last())
		}
	}
}

func TestKind(t *testing.T) {
	for k := KindView; k <= KindDead; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k || !k.Valid() || k.Recorded() != (k <= KindMove) {
			t.Errorf("kind %v: parsed %v, %v; valid %v, recorded %v", k, got, ok, k.Valid(), k.Recorded())
		}
	}
	if _, ok := ParseKind(""); ok || Kind(0).Valid() || Kind(7).Valid() || Kind(7).String() != "kind(7)" {
		t.Error("kinds 0 and 7 are not refused")
	}
}

func TestValidSiteKey(t *testing.T) {
	f := func(key string, want bool) {
		t.Helper()
		if got := ValidSiteKey(key); got != want {
			t.Errorf("ValidSiteKey(%q) = %v", key, got)
		}
	}
	f("shop", true)
	f("a-1", true)
	f("12345678901234567890123456789012", true)
	f("123456789012345678901234567890123", false)
	f("", false)
	f("Shop", false)
	f("a_b", false)
	f("ä", false)
}
