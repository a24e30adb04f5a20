package index

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// TestDateCache compares with heatmap.DateOf at random times and at every change of the offset. St. John's turned its
// clocks at one minute past midnight, so that a day came twice; Apia left out a whole day; Lord Howe moves by half an hour.
func TestDateCache(t *testing.T) {
	var zones []*time.Location
	for _, name := range []string{
		"UTC", "Europe/Prague", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Cairo",
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone, time.FixedZone(name, len(name)*1234))
	}
	var cache dateCache
	check := func(ms int64, zone *time.Location) {
		t.Helper()
		want := heatmap.DateOf(ms, zone)
		if got := cache.date(ms, zone, xxhash.Sum64String(zone.String())); got != want {
			t.Fatalf("%v: date %v, want %v", time.UnixMilli(ms).In(zone), got, want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300_000 {
		check(heatmap.MinTime+rng.Int64N(30*365*dayMillis), zones[rng.IntN(len(zones))])
	}
	const hour = 3_600_000
	for _, zone := range zones {
		for at := time.UnixMilli(heatmap.MinTime).In(zone); ; {
			_, next := at.ZoneBounds()
			if next.IsZero() || next.Year() > 2030 {
				break
			}
			for d := int64(-26 * hour); d < 26*hour; d += 30_000 { // onwards and back
				check(next.UnixMilli()+d, zone)
			}
			for d := int64(-26 * hour); d < 26*hour; d += 30_000 {
				check(next.UnixMilli()-d, zone)
			}
			at = next
		}
	}
}

func BenchmarkDateCache(b *testing.B) {
	zone, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		b.Fatal(err)
	}
	var cache dateCache
	b.ReportAllocs()
	ms := heatmap.MinTime
	for b.Loop() {
		cache.date(ms, zone, 1)
		ms += 977
	}
}
