package browsertest

import (
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
)

// hasty is a script that makes the clock of a page's scripts run twenty times as fast and notes the ms of all their waits.
const hasty = `(() => {
	const now = performance.now.bind(performance), wait = setTimeout
	window.waits = []
	performance.now = () => 20 * now()
	window.setTimeout = (fn, ms = 0) => (waits.push(ms), wait(fn, ms / 20))
})()`

// TestTrackerTriesAllAlong leaves a page open while its server is away for long: it goes on trying, at most ten seconds apart.
func TestTrackerTriesAllAlong(t *testing.T) {
	t.Parallel()
	const tries = 8
	h := newHost(t, map[string]string{"/p": with("")})
	h.answer = func(n int) int {
		if n < tries {
			return 0
		}
		return 204
	}
	p := chrome.Open(t, browser.Desktop)
	p.BeforeLoad(hasty)
	p.Goto(h.URL + "/p")
	p.Click(300, 300)
	h.await("tries", func() bool { return len(h.batches()) > tries })
	longest := browser.Eval[float64](p, `Math.max(...waits)`)
	if longest > 10_000 {
		t.Errorf("a page waits %.0f ms", longest)
	}
	p.Wait(`!Object.keys(localStorage).length`)
}

// TestTrackerSendsWithinASecond wants clicks that no one answers to be sent within a second, though it takes most of it to know
// that; and however many there are, fewer than two requests a second.
func TestTrackerSendsWithinASecond(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": with("")})
	p := h.open(browser.Desktop, "/p")
	h.awaitHits("view", 1)
	quick := func() bool { // the machine may be busy for a moment
		p.Click(300, 300)
		h.mu.Lock()
		h.got = nil
		h.mu.Unlock()
		h.awaitHits("click", 1)
		b := h.batches()[0]
		return b.Hits[0]["dead"] == true && b.Hits[0]["age"].(float64) < 1000
	}
	for end := time.Now().Add(time.Minute); !quick(); {
		if time.Now().After(end) {
			t.Fatalf("a click is sent after %v ms", h.batches()[0].Hits[0]["age"])
		}
	}
	before, began := len(h.batches()), time.Now()
	for i := 0; time.Since(began) < 3*time.Second; i++ {
		p.Click(300, float64(200+7*(i%50)))
	}
	if n, most := len(h.batches())-before, int(2*time.Since(began).Seconds())+1; n > most {
		t.Errorf("%d requests in %v", n, time.Since(began))
	}
}
