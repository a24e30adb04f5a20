package browser

import (
	"sync/atomic"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Offline sets what the page is told of its connection, as navigator.onLine and by events. Nothing is cut by that.
func (p *Page) Offline(offline bool) {
	p.t.Helper()
	call(p, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
}

// Print prints the page to nowhere.
func (p *Page) Print() {
	p.t.Helper()
	call(p, page.PrintToPDF, page.PrintToPDFParams{})
}

// Metrics gives what the browser has counted of the page, such as LayoutCount and RecalcStyleCount, from the first call on.
func (p *Page) Metrics() map[string]float64 {
	p.t.Helper()
	call(p, performance.Enable, performance.EnableParams{})
	all := map[string]float64{}
	for _, m := range call(p, performance.GetMetrics, cdp.Empty{}).Metrics {
		all[m.Name] = m.Value
	}
	return all
}

// Counter gives all documents of the page a function of this name, which takes a string, and counts its calls.
func (p *Page) Counter(name string, calls *atomic.Int64) {
	p.t.Helper()
	err := chromedp.Listen(p.ctx, func(ev any) {
		if ev, ok := ev.(*runtime.EventBindingCalled); ok && ev.Name == name {
			calls.Add(1)
		}
	})
	if err != nil {
		p.t.Fatalf("listen to tab: %v", err)
	}
	call(p, runtime.AddBinding, runtime.AddBindingParams{Name: name})
}
