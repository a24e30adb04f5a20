package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// TestRepeatsAfterMidnight sends a batch again after midnight in the zone of its site, from the same and from another
// address: the visitor is another one then, the batch is the same.
func TestRepeatsAfterMidnight(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Prague", "Asia/Kathmandu", "America/St_Johns"} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprint(strings.ReplaceAll(zone, "/", "_"), crash), func(t *testing.T) {
				r := &clockRig{t: t, dir: dataDir(filepath.Join(t.TempDir(), "data")), want: map[string]int{}, zone: zone}
				if err := r.dir.create(); err != nil {
					t.Fatal(err)
				}
				in, err := time.LoadLocation(zone)
				if err != nil {
					t.Fatal(err)
				}
				midnight := time.Date(2026, 3, 4, 0, 0, 0, 0, in)
				r.at.Store(midnight.Add(-5 * time.Second).UnixMilli())
				r.from = netip.MustParseAddr("192.0.2.1")
				r.open()
				const batches = 10
				for n := range batches {
					r.send(n)
				}
				if crash {
					r.close(false)
					r.open()
				}
				r.at.Store(midnight.Add(5 * time.Second).UnixMilli())
				for n := range batches {
					r.send(n)
				}
				r.from = netip.MustParseAddr("2001:db8::1")
				for n := range batches {
					r.send(n)
				}
				r.send(batches) // a new one, of the new day
				for r.index.Lag() > 0 {
					time.Sleep(time.Millisecond)
				}
				q := heatmap.Query{Site: faultSite, URL: "https://fault.example/"}
				a, err := r.index.Heatmap(t.Context(), q)
				if err != nil || a.Hits != batches+1 || len(a.Points) != batches+1 || a.Visitors != 2 {
					t.Errorf("%d hits in %d cells of %d visitors, %v; want %d, each in its own, of 2", a.Hits, len(a.Points), a.Visitors, err, batches+1)
				}
				r.close(true)
			})
		}
	}
}

// TestRepeatsOfSenders sends batches to a server as a page does whose address changes while it tries again, and as
// others do that have chosen the same id, before and after a crash.
func TestRepeatsOfSenders(t *testing.T) {
	dir := t.TempDir()
	start := func() *process {
		return startServer(t, dir, "--trusted-proxies", "127.0.0.1/32", "--flush-every", "50ms")
	}
	p := start()
	p.AddSite("shop", "Europe/Prague", "https://shop.example")
	p.AddSite("news", "UTC", "https://news.example")
	send := func(site, view, agent, address string) {
		t.Helper()
		header := http.Header{
			"Content-Type": {"text/plain"}, "User-Agent": {agent}, "X-Forwarded-For": {address}, "Origin": {"https://" + site + ".example"},
		}
		body := fmt.Sprintf(`{"site":%q,"url":"https://%[1]s.example/","view":%q,"b":"b-1","hits":[`+
			`{"age":5,"kind":"click","x":8,"y":8,"vw":1280,"vh":720},{"age":1,"view":"other","kind":"click","x":80,"y":8,"vw":1280,"vh":720}]}`, site, view)
		if status, answer := p.Request("POST", "/v1/in", nil, header, strings.NewReader(body)); status != 204 {
			t.Fatalf("status %d: %s", status, answer)
		}
	}
	check := func(site string, want int) {
		t.Helper()
		p.WaitCounted(site)
		var a struct {
			Hits int `json:"hits"`
		}
		p.Ask("/v1/heatmap", url.Values{"site": {site}, "url": {"https://" + site + ".example/"}}, &a)
		if a.Hits != want {
			t.Errorf("site %s has %d hits, want %d", site, a.Hits, want)
		}
	}
	const wifi, mobile = "192.0.2.1", "2001:db8::1"
	phone := strings.Replace(benchAgent, "X11; Linux x86_64", "Linux; Android 14", 1)
	for range 2 {
		send("shop", "v", benchAgent, wifi)
		send("shop", "v", benchAgent, mobile)
		check("shop", 2)
		p.Kill()
		p = start()
		send("shop", "v", benchAgent, mobile)
		send("shop", "v", benchAgent, "198.51.100.7")
		check("shop", 2)
	}
	send("shop", "w", benchAgent, wifi)
	send("shop", "v", phone, wifi)
	send("news", "v", benchAgent, wifi)
	check("shop", 6)
	check("news", 2)
	p.Kill()
	p = start()
	send("shop", "w", benchAgent, mobile)
	send("shop", "v", phone, mobile)
	send("news", "v", benchAgent, mobile)
	check("shop", 6)
	check("news", 2)
	p.Stop()
}

// TestRepeatsOverClockJumps sends batches again to a server whose clock jumps over a crash: forth by an hour and by a day, and
// back.
func TestRepeatsOverClockJumps(t *testing.T) {
	r := newDamageRig(t, "--flush-every", "50ms")
	sent := 0
	for _, ahead := range []string{"0s", "1h", "25h", "1h", "0s", "24h10m", "0s"} {
		r.Kill()
		r.start("--clock-ahead", ahead, "--flush-every", "50ms")
		r.send(max(0, sent-30), sent)
		r.send(sent, sent+30)
		sent += 30
		r.WaitCounted("shop")
		if a := r.check(sent, once); a.Hits != sent {
			t.Errorf("clock %s ahead: %d hits, want %d", ahead, a.Hits, sent)
		}
	}
	r.Stop()
}

// TestRepeatsOfImports repeats an import, also when the site of its first line has become known in between: each part
// counts once.
func TestRepeatsOfImports(t *testing.T) {
	dir := t.TempDir()
	p := startServer(t, dir, "--flush-every", "50ms")
	p.AddSite("shop", "UTC", "https://shop.example")
	line := `{"t":1767225600000,"site":%q,"url":"https://%[1]s.example/","kind":"click","x":%d,"y":8,"vw":1280,"vh":720,"view":"v%[2]d"}` + "\n"
	var lines strings.Builder
	lines.WriteString(fmt.Sprintf(line, "late", 0))
	for n := 1; n < 1500; n++ { // two parts
		lines.WriteString(fmt.Sprintf(line, "shop", n))
	}
	send := func(accepted int64) {
		t.Helper()
		status, body := p.Request("POST", "/v1/import", url.Values{"batch": {"b"}}, nil, strings.NewReader(lines.String()))
		var a importAnswer
		if err := json.Unmarshal(body, &a); status != 200 || err != nil || a.Accepted != accepted {
			t.Fatalf("import: status %d: %.500s", status, body)
		}
		p.WaitCounted("shop")
		var m struct {
			Hits int `json:"hits"`
		}
		p.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {"https://shop.example/"}}, &m)
		if m.Hits != 1499 {
			t.Errorf("%d hits, want 1499", m.Hits)
		}
	}
	send(1499)
	send(1499)
	p.AddSite("late", "UTC", "https://late.example")
	send(1500)
	p.Kill()
	p = startServer(t, dir)
	send(1500)
	p.Stop()
}
