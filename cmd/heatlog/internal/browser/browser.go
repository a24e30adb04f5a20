// Package browser drives a real Chromium for tests: pages of a set size, trusted clicks and taps at given places,
// scrolling, screenshots, and account of every request and console message.
package browser

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long anything in a page may take on a busy machine.
const patience = 30 * time.Second

// Size is what a page sees of its screen. The zero value of Scale is 1.
type Size struct {
	Width, Height int // CSS px
	Scale         float64
	Touch         bool // a phone: touch events and a mobile viewport
}

// The sizes that are looked at.
var (
	Desktop = Size{Width: 1280, Height: 800}
	Phone   = Size{Width: 390, Height: 844, Touch: true}
)

// Browser is one Chromium, shared by the tests of a package. The zero value is ready.
type Browser struct {
	once sync.Once
	ctx  context.Context
	end  context.CancelFunc
	err  error
}

// Find gives the path of Chromium, and whether there is one.
func Find() (path string, ok bool) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// Close ends the browser.
func (b *Browser) Close() {
	if b.end != nil {
		b.end()
	}
}

// start starts Chromium. The first call may not have a deadline: when one ends, the browser ends.
func (b *Browser) start() {
	path, _ := Find()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("font-render-hinting", "none"),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b.ctx, b.end = ctx, func() { cancel(); end() }
	b.err = chromedp.Do(ctx)
}

// Page is one tab. Its methods fail the test.
type Page struct {
	t    testing.TB
	ctx  context.Context
	Size Size

	mu       sync.Mutex
	console  []string
	requests []string
}

// Open opens an empty tab, in a browser context of its own: no cookie or cache of another test. Without a Chromium the test
// is skipped, or fails if HEATLOG_TEST_BROWSER is set, as it is by make test, which installs one.
func (b *Browser) Open(t testing.TB, size Size) *Page {
	t.Helper()
	if _, ok := Find(); !ok {
		if os.Getenv("HEATLOG_TEST_BROWSER") != "" {
			t.Fatal("there is no chromium on the PATH; make test installs it")
		}
		t.Skip("there is no chromium on the PATH; make test installs it")
	}
	b.once.Do(b.start)
	if b.err != nil {
		t.Fatalf("start chromium: %v", b.err)
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: ctx, Size: size}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open tab: %v", err)
	}
	p.listen()
	call(p, network.Enable, network.EnableParams{})
	p.Resize(size)
	return p
}

// Tab opens another tab in the browser context of p, with its cookies.
func (p *Page) Tab(size Size) *Page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	q := &Page{t: p.t, ctx: ctx, Size: size}
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatalf("open tab: %v", err)
	}
	q.listen()
	call(q, network.Enable, network.EnableParams{})
	q.Resize(size)
	return q
}

// listen keeps account of requests and console messages.
func (p *Page) listen() {
	err := chromedp.Listen(p.ctx, func(ev any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			p.requests = append(p.requests, ev.Request.Method+" "+ev.Request.URL)
		case *log.EventEntryAdded:
			p.console = append(p.console, string(ev.Entry.Source)+" "+string(ev.Entry.Level)+" "+ev.Entry.Text+" "+ev.Entry.URL)
		case *runtime.EventConsoleAPICalled:
			var text strings.Builder
			text.WriteString(string(ev.Type))
			for _, a := range ev.Args {
				if text.WriteString(" " + string(a.Value)); len(a.Value) == 0 {
					text.WriteString(a.Description)
				}
			}
			p.console = append(p.console, text.String())
		case *runtime.EventExceptionThrown:
			text := ev.ExceptionDetails.Text
			if e := ev.ExceptionDetails.Exception; e != nil {
				text += " " + e.Description
			}
			p.console = append(p.console, "exception "+text)
		}
	})
	if err != nil {
		p.t.Fatalf("listen to tab: %v", err)
	}
	call(p, runtime.Enable, cdp.Empty{})
	call(p, log.Enable, cdp.Empty{})
}

// do runs steps within patience.
func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\nconsole: %q", what, err, p.Console())
	}
}
