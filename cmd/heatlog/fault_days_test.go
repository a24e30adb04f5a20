package main

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"heatlog/journal/journaltest"
)

// clockDays are days on which clocks change, by zone: by an hour, by half an hour, at midnight, a minute after it, and a
// day that there never was.
var clockDays = map[string][]string{
	"Europe/Berlin":       {"2025-03-30", "2025-10-26"},
	"America/New_York":    {"2025-03-09", "2025-11-02"},
	"Australia/Lord_Howe": {"2025-04-06", "2025-10-05"},
	"America/Sao_Paulo":   {"2018-02-18", "2018-11-04"},
	"Pacific/Apia":        {"2011-12-30", "2012-04-01"},
	"America/St_Johns":    {"2007-03-11", "2007-11-04"},
	"Africa/Cairo":        {"2025-04-25", "2025-10-31"},
}

// TestFaultClockDays imports hits around days on which clocks change and compares every day with a plain recount, while
// they are live and after a restart.
func TestFaultClockDays(t *testing.T) {
	t.Parallel()
	zones := map[string]string{}
	for zone := range clockDays {
		zones[fmt.Sprint("z", len(zones))] = zone
	}
	o, err := newOracle(zones)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := startServer(t, dir)
	for site, zone := range zones {
		p.AddSite(site, zone, "https://"+site+".example")
		lines := clockLines(t, site, zone)
		p.Import(bytes.NewReader(lines), "")
		if err := o.read(bytes.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
	}
	row := journaltest.Begin(t, "answers about days on which clocks change", 0, 0)
	compareClockDays(t, row, "live", p, o, zones)
	p.Stop()
	p = startServer(t, dir)
	compareClockDays(t, row, "after a restart", p, o, zones)
	p.Stop()
}

// clockLines makes a hit every few minutes of the days around those of a zone.
func clockLines(t *testing.T, site, zone string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, day := range clockDays[zone] {
		noon, err := time.Parse("2006-01-02", day)
		if err != nil {
			t.Fatal(err)
		}
		for n, at := 0, noon.Add(-60*time.Hour); at.Before(noon.Add(84 * time.Hour)); n, at = n+1, at.Add(7*time.Minute+13*time.Second) {
			kind := [...]string{`"view"`, `"click","x":%[1]d,"y":8`, `"scroll","depth":%[1]d,"from":0,"y":0,"dwell":1000`}[n%3]
			if n%3 > 0 {
				kind = fmt.Sprintf(kind, n%1000)
			}
			fmt.Fprintf(&b, `{"t":%d,"site":%q,"url":"https://%[2]s.example/","vw":1280,"vh":720,"visitor":"v%d","kind":%s}`+"\n",
				at.UnixMilli(), site, n%40, kind)
		}
	}
	return b.Bytes()
}

// compareClockDays asks for each day alone, for runs of days, and for the trend.
func compareClockDays(t *testing.T, row *journaltest.Row, when string, p *process, o *oracle, zones map[string]string) {
	t.Helper()
	asked := 0
	for site, zone := range zones {
		p.WaitCounted(site)
		page := "https://" + site + ".example/"
		for _, day := range clockDays[zone] {
			noon, err := time.Parse("2006-01-02", day)
			if err != nil {
				t.Fatal(err)
			}
			name := func(n int) string { return noon.AddDate(0, 0, n).Format("2006-01-02") }
			for n := -3; n <= 3; n++ {
				asked += comparePage(t, when+" "+zone, p, o, site, page, filter{from: name(n), to: name(n)})
				asked += comparePage(t, when+" "+zone, p, o, site, page, filter{from: name(n), to: name(3)})
			}
			asked += compareTrend(t, when+" "+zone, p, o, site, page, "day", filter{from: name(-3), to: name(3)})
			asked += compareTrend(t, when+" "+zone, p, o, site, page, "hour", filter{from: name(-1), to: name(1)})
		}
	}
	row.Done(asked)
	row.Found("%s in %d zones", when, len(zones))
}
