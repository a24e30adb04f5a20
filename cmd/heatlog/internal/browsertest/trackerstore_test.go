package browsertest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// storedMost is how much the tracker stores of what it could not deliver, characters a site; besides, 12 a hit that it drops.
const storedMost = 64 << 10

// leftBehind is a script that puts batches into the storage as pages before would have done: n of them with two hits of this
// many characters each, good for ms more milliseconds.
func leftBehind(entry string, n, size, ms int) string {
	return fmt.Sprintf(`localStorage["hl:shop:%[1]s"] = Array.from({length: %[2]d}, (_, i) => Date.now() + %[3]d + ' {"b":"%[1]s' + i +
		'","site":"shop","url":"' + location.origin + '/old","view":"%[1]s","hits":[' +
		Array(2).fill('{"age":' + (Date.now() - 5000) + ',"kind":"click","sel":"' + "a".repeat(%[4]d) + '"}') + "]}").join("\n"), true`, entry, n, ms, size)
}

// TestTrackerStoreIsBounded leaves a page with more than may be stored: what is dropped is counted, the rest comes.
func TestTrackerStoreIsBounded(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/blank": `<!doctype html><link rel=icon href="data:,">`, "/p": with("")})
	f := func(entries, n, size int) {
		t.Helper()
		h.got = nil
		h.answer = func(int) int { return http.StatusServiceUnavailable }
		p := h.open(browser.Desktop, "/blank")
		for i := range entries {
			browser.Eval[bool](p, leftBehind(fmt.Sprint("e", i, "-"), n, size, 1e6))
		}
		p.Goto(h.URL + "/p")
		p.Click(300, 300)
		h.await("a try", func() bool { return len(h.batches()) > 0 })
		show(p, "hidden")
		if got := stored(p); got > storedMost+entries*n*50 || got < storedMost/3 {
			t.Errorf("%d characters are stored, at most %d are to be", got, storedMost)
		}
		p.Goto(h.URL + "/blank")
		for n := -1; n < len(h.batches()); pass(p, 1000) { // until all is refused that the page has sent as it went
			n = len(h.batches())
		}
		h.mu.Lock()
		h.answer, h.got = nil, nil
		h.mu.Unlock()
		p.Goto(h.URL + "/p")
		h.await("all batches", func() bool { return stored(p) == 0 && strings.Contains(fmt.Sprint(h.batches()), "/p") })
		pass(p, settled)
		lost, clicks := 0, 0
		came := map[string]bool{}
		for _, b := range h.batches() {
			if came[b.B] {
				continue // as the server does
			}
			came[b.B] = true
			lost += b.Lost
			for _, hit := range b.Hits {
				if age := hit["age"].(float64); age < 0 || age > 60_000 || b.URL == h.URL+"/old" && age < 5000 {
					t.Errorf("a hit is %g ms old", age)
				}
				if hit["kind"] == "click" {
					clicks++
				}
			}
		}
		// the hits of the first page itself may be among the dropped, too: a click, a view, up to four scrolls
		if all := 2 * entries * n; lost == 0 || clicks+lost < all || clicks+lost > all+6 {
			t.Errorf("of %d clicks %d came and %d were lost", all, clicks, lost)
		}
		p.Close()
	}
	f(4, 5, 2500) // too many characters
	f(2, 70, 200) // too many batches
}

// TestTrackerStoreOfOthers finds in the storage what is too old, and what no tracker has written.
func TestTrackerStoreOfOthers(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/blank": `<!doctype html><link rel=icon href="data:,">`, "/p": with(""), "/off": with(`data-store="off"`)})
	p := h.open(browser.Desktop, "/blank")
	browser.Eval[bool](p, leftBehind("old", 3, 10, -1))
	browser.Eval[bool](p, `localStorage["hl:shop:"] = "", localStorage["hl:shop:x"] = "\n\nno", localStorage["hl:shop2:x"] = "its", localStorage.shop = "mine"`+", true")
	p.Goto(h.URL + "/off")
	h.awaitHits("view", 1)
	if n := browser.Eval[int](p, `localStorage.length`); n != 5 {
		t.Errorf("with the store off %d entries are left of 5", n)
	}
	p.Goto(h.URL + "/p")
	h.awaitHits("view", 2)
	p.Wait(`Object.keys(localStorage).sort().join() === "hl:shop2:x,shop"`)
	lost := 0
	for _, b := range h.batches() {
		if lost += b.Lost; strings.HasSuffix(b.URL, "/old") {
			t.Errorf("a batch that is too old: %v", b)
		}
	}
	if lost != 6 {
		t.Errorf("%d hits are told as lost, want 6", lost)
	}
}

// TestTrackerWithoutStore has no storage, a full one, or one that is off, while the server is away: nothing is thrown, and a page
// that goes on delivers all the same.
func TestTrackerWithoutStore(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{
		"/none":   `<script>Object.defineProperty(window, "localStorage", {value: undefined})</script>` + with(""),
		"/throws": `<script>Object.defineProperty(window, "localStorage", {get() { throw new Error("no") }})</script>` + with(""),
		"/full":   `<script>try { for (let n = 4 << 20; n >= 1; n /= 2) for (;;) localStorage.x = (localStorage.x || "") + "x".repeat(n) } catch {} try { for (let n = 1 << 20; n >= 1; n /= 2) try { localStorage.x += "x".repeat(n) } catch {} } catch {}</script>` + with(""),
		"/off":    with(`data-store="off"`),
	})
	for path := range h.pages {
		h.mu.Lock()
		h.got, h.answer = nil, func(int) int { return http.StatusServiceUnavailable }
		h.mu.Unlock()
		p := h.open(browser.Desktop, path)
		p.Click(300, 300)
		h.await("a try", func() bool { return len(h.batches()) > 0 })
		show(p, "hidden")
		show(p, "visible")
		if path != "/none" && path != "/throws" && stored(p) > 0 {
			t.Errorf("%s: something is stored", path)
		}
		h.mu.Lock()
		h.answer, h.got = nil, nil
		h.mu.Unlock()
		h.awaitHits("click", 1)
		for _, line := range p.Console() {
			if !strings.Contains(line, "503") { // which the browser says itself
				t.Errorf("%s: console: %s", path, line)
			}
		}
		p.Close()
	}
}

// TestTrackerStoresWhatHangs leaves a page whose server takes what it sends and does not answer: the next page sends that again.
func TestTrackerStoresWhatHangs(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": with(""), "/next": with("")})
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	defer release() // the host waits for its requests
	h.answer = func(n int) int {
		if n == 0 {
			<-answer
			return 0
		}
		return http.StatusNoContent
	}
	p := h.open(browser.Desktop, "/p")
	p.Click(300, 300)
	h.await("the batch that gets no answer", func() bool { return len(h.batches()) == 1 })
	pass(p, 4000)
	p.Goto(h.URL + "/next")
	first := h.batches()[0]
	h.await("the same once more", func() bool {
		return slices.ContainsFunc(h.batches()[1:], func(b hitBatch) bool { return b.B == first.B && len(b.Hits) == len(first.Hits) })
	})
	release()
	p.Wait(`!Object.keys(localStorage).length`) // it is delivered when the answer has come
	h.quiet(p)
}

// TestTrackerStoresAtOnce has the browser end a page that is busy as its tab is closed, before its events and in the midst of them:
// what could not be delivered by then is stored, and the next page sends it.
func TestTrackerStoresAtOnce(t *testing.T) {
	t.Parallel()
	const busy = `{ for (const end = Date.now() + 3000; Date.now() < end;); }`
	h := newHost(t, map[string]string{
		"/blank": `<!doctype html><link rel=icon href="data:,">`,
		"/p":     `<script>fetch = (fetch => (...of) => { if (window.going) ` + busy + `; return fetch(...of) })(fetch)</script>` + with(""),
	})
	const clicks = 30
	came := func() int { // each batch once, as the server does
		ids, n := map[string]bool{}, 0
		for _, b := range h.batches() {
			for _, hit := range b.Hits {
				if hit["kind"] == "click" && !ids[b.B] {
					n++
				}
			}
			ids[b.B] = true
		}
		return n
	}
	for _, end := range []string{`setTimeout(() => ` + busy + `)`, `window.going = 1`} {
		h.mu.Lock()
		h.answer = func(int) int { return 0 }
		h.mu.Unlock()
		home := h.open(browser.Desktop, "/blank")
		p := home.Tab(browser.Desktop)
		p.Goto(h.URL + "/p")
		for i := range clicks {
			p.Click(300, float64(200+10*i))
		}
		p.Wait(fmt.Sprintf(`Object.values(localStorage).join().split('"kind":"click"').length === %d + 1`, clicks))
		browser.Eval[int](p, end)
		p.Close()
		h.mu.Lock()
		h.answer, h.got = nil, nil
		h.mu.Unlock()
		home.Goto(h.URL + "/p")
		h.await(fmt.Sprintf("%d clicks after %.20s", clicks, end), func() bool { return came() >= clicks })
		home.Wait(`!Object.keys(localStorage).length`)
		if n := came(); n != clicks {
			t.Errorf("%d clicks came, want %d", n, clicks)
		}
	}
}
