package browser_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

func TestBrowserTellsWhatHappened(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!doctype html><meta name=viewport content="width=device-width"><link rel=icon href="data:,"><body style="margin:0;background:#00f;height:5000px"><script>
			addEventListener("click", e => { window.at = [e.pageX, e.pageY, e.isTrusted, e.pointerType].join() }); console.log("here", 7)</script>`))
	}))
	t.Cleanup(server.Close)
	var b browser.Browser
	t.Cleanup(b.Close)
	f := func(size browser.Size, want string) {
		t.Helper()
		p := b.Open(t, size)
		p.Goto(server.URL)
		p.ScrollTo(1000)
		p.Point(123, 217)
		p.Wait(`window.at`)
		if got := browser.Eval[string](p, `at + "," + innerWidth`); got != want {
			t.Errorf("the page saw %s, want %s", got, want)
		}
		if c := p.Console(); len(c) != 1 || c[0] != `log "here" 7` {
			t.Errorf("console is %q", c)
		}
		if r := p.Requests(); len(r) != 1 || r[0] != "GET "+server.URL+"/" {
			t.Errorf("requests are %q", r)
		}
		if _, _, blue, _ := p.Screenshot("harness").At(5, 5).RGBA(); blue != 0xffff {
			t.Errorf("the screenshot is not blue")
		}
		p.Close()
	}
	f(browser.Desktop, "123,1217,true,mouse,1280")
	f(browser.Phone, "123,1217,true,touch,390")
}
