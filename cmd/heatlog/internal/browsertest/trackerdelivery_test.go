package browsertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
	"heatlog/journal/journaltest"
)

// road is the way from browsers to a server: it holds answers back for a while, or is cut.
type road struct {
	*httptest.Server
	delay time.Duration // from when the server has answered
	cut   atomic.Bool
}

func newRoad(t testing.TB, to string, delay time.Duration) *road {
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := &road{delay: delay}
	proxy := httputil.NewSingleHostReverseProxy(target)
	// a page that goes gives up its requests; the server gets them all the same, as it does when only the answer is lost
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(slow{w, r}, q.WithContext(context.WithoutCancel(q.Context())))
	}))
	t.Cleanup(r.Server.Close)
	return r
}

// slow holds an answer back.
type slow struct {
	http.ResponseWriter
	road *road
}

func (s slow) WriteHeader(status int) {
	time.Sleep(s.road.delay)
	if s.road.cut.Load() {
		panic(http.ErrAbortHandler) // the answer is lost, what was asked is done
	}
	s.ResponseWriter.WriteHeader(status)
}

const crowdPage = `<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><link rel=icon href="data:,"><title>Shop</title>
<script>addEventListener("click", e => { if (e.isTrusted) made("") }, true)</script><script defer src="ROAD/hl.js" data-site="SITE"></script>
<body style="margin:0;height:3000px"><a href="NEXT" style="position:absolute;left:0;top:0;width:200px;height:100px">next</a><p>p</p>`

// clicker is a visitor, and what is between it and the server.
type clicker struct {
	testing.TB
	road      *road
	base      string        // of the pages
	home, tab *browser.Page // home is the tab that holds the others open
	seen      atomic.Int64  // clicks that pages saw
	made      int
}

// open opens a page in another tab.
func (c *clicker) open() {
	c.tab = c.home.Tab(browser.Desktop)
	c.tab.Counter("made", &c.seen)
	c.tab.Goto(c.base + "/a")
}

func (c *clicker) click(n int) {
	for range n {
		c.made++
		c.tab.Click(float64(210+13*(c.made%70)), float64(110+7*(c.made%90)))
	}
}

// next clicks on the link to the next page and waits for it.
func (c *clicker) next() {
	c.made++
	browser.Eval[int](c.tab, `window.before = 1`)
	c.tab.Click(50, 50)
	c.tab.Wait(`!window.before && document.readyState === "complete"`)
}

// close closes the tab as a person does. It is hidden before, as a busy browser ends a page that needs half a second to go: then
// not even its events come.
func (c *clicker) close() {
	for end := time.Now().Add(5 * time.Second); int(c.seen.Load()) < c.made && time.Now().Before(end); time.Sleep(time.Millisecond) {
		// the browser tells of the last clicks a little later
	}
	show(c.tab, "hidden")
	c.tab.Close()
}

// cut makes the server unreachable, or reachable again; known is whether the browser sees that.
func (c *clicker) cut(off, known bool) {
	c.road.cut.Store(off)
	if known {
		c.tab.Offline(off)
	}
}

// ways are the ways to lose clicks, each with how often it is gone in the short and in the long form. out is how long the
// server is away.
var ways = []struct {
	name        string
	short, long int
	round       func(c *clicker, out time.Duration)
}{
	{"navigation", 5, 34, func(c *clicker, _ time.Duration) {
		c.click(4)
		c.next()
	}},
	{"hide", 2, 20, func(c *clicker, _ time.Duration) {
		c.click(5)
		show(c.tab, "hidden")
		show(c.tab, "visible")
	}},
	{"close", 2, 20, func(c *clicker, _ time.Duration) {
		c.click(5)
		c.close()
		c.open()
	}},
	{"offline and back", 1, 1, func(c *clicker, out time.Duration) {
		c.click(5)
		c.cut(true, true)
		c.click(40)
		time.Sleep(out)
		c.click(5)
		c.cut(false, true)
		c.click(5)
	}},
	{"offline and closed", 1, 1, func(c *clicker, out time.Duration) {
		c.cut(true, true)
		c.click(40)
		time.Sleep(out)
		c.click(5)
		c.close()
		c.cut(false, false)
		c.open()
		c.click(5)
	}},
	{"server away", 1, 1, func(c *clicker, out time.Duration) { // of which the browser knows nothing, over pages
		c.cut(true, false)
		c.click(20)
		time.Sleep(out)
		c.click(5)
		c.next()
		c.click(5)
		c.next()
		c.cut(false, false)
		c.next()
		c.click(5)
	}},
}

// TestTrackerDelivery makes clicks in a real browser, with a real server behind a road that holds answers back or is cut, and
// counts what the server has: nothing may be missing, nothing doubled. Not here are the clicks of a page that goes in the
// very second in which the server cannot be reached any more, unknown to the browser: nobody is left to see it.
func TestTrackerDelivery(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	out := time.Duration(journaltest.Times(2, 30)) * time.Second
	for j, delay := range []time.Duration{0, 300 * time.Millisecond} {
		for i, w := range ways {
			if !journaltest.Torture() && i%2 != j {
				continue
			}
			t.Run(fmt.Sprint(w.name, ", ", delay), func(t *testing.T) {
				t.Parallel()
				server := *server
				server.T = t
				c, site := &clicker{TB: t, road: newRoad(t, server.Base, delay), home: chrome.Open(t, browser.Desktop)}, fmt.Sprintf("s%d-%d", i, delay.Milliseconds())
				pages := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					rw.Header().Set("Content-Type", "text/html")
					next := map[string]string{"/a": "/b", "/b": "/a"}[r.URL.Path]
					io.WriteString(rw, strings.NewReplacer("ROAD", c.road.URL, "SITE", site, "NEXT", next).Replace(crowdPage))
				}))
				t.Cleanup(pages.Close)
				c.base = pages.URL
				server.AddSite(site, "Europe/Prague", pages.URL)
				c.open()
				for range journaltest.Times(w.short, w.long) {
					w.round(c, out)
				}
				c.check(&server, site)
			})
		}
	}
}

// deliveryWait is how long clicks may take to be counted after the server can be reached: a second until they are sent, and the
// pause after the tries before.
const deliveryWait = 60 * time.Second

// check waits until every click is counted, and then for what may be counted twice.
func (c *clicker) check(server *heatlogtest.Server, site string) {
	c.Helper()
	began := time.Now()
	var a struct{ Hits int }
	ask := func() int {
		server.Ask("/v1/heatmap", url.Values{"site": {site}, "url": {c.base + "/*"}, "limit": {"0"}}, &a)
		return a.Hits
	}
	for ask() < c.made && time.Since(began) < deliveryWait {
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(began)
	c.home.Goto("data:,") // the pages go on for a while: what they would send again comes now
	time.Sleep(time.Duration(journaltest.Times(1, 5)) * time.Second)
	server.WaitCounted(site)
	if n := ask(); n != c.made || int(c.seen.Load()) != c.made {
		c.Errorf("%d clicks made, %d seen by pages, %d counted after %v", c.made, c.seen.Load(), n, took)
		return
	}
	c.Logf("%d clicks, all counted %.1f s after the last", c.made, took.Seconds())
}
