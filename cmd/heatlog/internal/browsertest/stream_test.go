package browsertest

import (
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// openModule opens an empty page that has what a file of web/front exports, as a global name.
func openModule(t *testing.T, name, file string) *browser.Page {
	t.Helper()
	h := newHost(t, map[string]string{"/p": `<!doctype html><link rel=icon href="data:,"><body>`})
	p := h.open(browser.Desktop, "/p")
	browser.Eval[bool](p, bundle(t, name, file)+`; window.`+name+` = `+name+`; true`)
	return p
}

// TestStreamIsReadInPieces cuts an event stream in two at every character.
func TestStreamIsReadInPieces(t *testing.T) {
	t.Parallel()
	p := openModule(t, "hlStream", "stream.ts")
	f := func(text, want string) {
		t.Helper()
		browser.Eval[bool](p, `window.cuts = text => [...text + " "].map((_, i) => {
			const read = hlStream.makeReader()
			return JSON.stringify([...read(text.slice(0, i)), ...read(text.slice(i))])
		}), true`)
		for _, got := range browser.Eval[[]string](p, `[...new Set(cuts("`+text+`"))]`) {
			if got != want {
				t.Errorf("%q is read as %s, want %s", text, got, want)
			}
		}
	}
	f(`event: patch\nid: t1\ndata: {}\n\n`, `["{}"]`)
	f(`data: 1\n\ndata:2\n\n`, `["1","2"]`)
	f(`data: 1\ndata: 2\n\n`, `["1\n2"]`)
	f(`: comment\nretry: 100\n\ndata: 1\n\n`, `["1"]`)
	f(`data: 1\n`, `[]`)
	f(`data: \u0159\n\n`, `["`+"\u0159"+`"]`)
	p.Close()
}

// TestToldAnswers wants what a snapshot and its patches tell to be the answer that GET gives.
func TestToldAnswers(t *testing.T) {
	t.Parallel()
	p := openModule(t, "hlTold", "told.ts")
	f := func(kind, messages, want string) {
		t.Helper()
		got := browser.Eval[string](p, `(() => { const told = hlTold.makeTold("`+kind+`"); for (const m of `+messages+`) told.take(m); return JSON.stringify(told.answer()) })()`)
		if got != want {
			t.Errorf("%s %s is told as %s, want %s", kind, messages, got, want)
		}
	}
	const point = `{event: "snapshot", token: "t", version: 1, complete: true, hits: 3, why: {}, points: [[8, 16, 1], [0, 65528, 2]]}`
	f("heatmap", `[`+point+`]`, `{"hits":3,"why":{},"points":[[8,16,1],[0,65528,2]]}`)
	f("heatmap", `[`+point+`, {event: "patch", hits: 5, points: [[8, 16, 0], [0, 65528, 4], [65528, 0, 1]]}]`, `{"hits":5,"points":[[0,65528,4],[65528,0,1]]}`)
	f("heatmap", `[`+point+`, {event: "progress", lag_hits: 7}]`, `{"hits":3,"why":{},"lag_hits":7,"points":[[8,16,1],[0,65528,2]]}`)
	f("heatmap", `[`+point+`, {event: "reset", reason: "day"}, {event: "snapshot", hits: 1, points: [[0, 0, 1]]}]`, `{"hits":1,"points":[[0,0,1]]}`)
	f("heatmap", `[{event: "patch", hits: 5, points: [[8, 16, 1]]}]`, `{"points":[]}`) // of nothing that is known
	f("pages", `[{event: "snapshot", hits: 3, pages: [{url: "a", hits: 2}, {url: "b", hits: 1}]}, {event: "patch", hits: 5, pages: [{url: "c", hits: 4}], gone: ["b"]}]`,
		`{"hits":5,"pages":[{"url":"c","hits":4},{"url":"a","hits":2}]}`)
	f("trend", `[{event: "snapshot", buckets: [{start: "2026-10-25T02:00:00+02:00", hits: 1}]}, {event: "patch", buckets: [{start: "2026-10-25T02:00:00+01:00", hits: 2}, {start: "2026-10-25T01:00:00+02:00", hits: 3}], gone: []}]`,
		`{"buckets":[{"start":"2026-10-25T01:00:00+02:00","hits":3},{"start":"2026-10-25T02:00:00+02:00","hits":1},{"start":"2026-10-25T02:00:00+01:00","hits":2}]}`)
	f("elements", `[{event: "snapshot", elements: [{sel: "a", check: 1, fixed: false, hits: 1}, {sel: "a", fixed: false, hits: 2}], rest: {hits: 1, cell: 8, points: [[0, 0, 1]]}},
		{event: "patch", elements: [{sel: "a", fixed: true, hits: 9}], gone: [{sel: "a", check: 1, fixed: false}], rest: {hits: 3, cell: 8, points: [[8, 0, 2]]}}]`,
		`{"elements":[{"sel":"a","fixed":true,"hits":9},{"sel":"a","fixed":false,"hits":2}],"rest":{"hits":3,"cell":8,"points":[[0,0,1],[8,0,2]]}}`)
	f("scroll", `[{event: "snapshot", band: 50, bands: 3, reach: [[0, 1], [50, 0.5], [100, 0.25]], attention_ms: [[0, 9]]}, {event: "patch", band: 50, bands: 2, reach: [[50, 0.75]], attention_ms: []}]`,
		`{"band":50,"reach":[[0,1],[50,0.75]],"attention_ms":[[0,9]]}`)
	p.Close()
}

// TestReelSums compares the sums of random spans of a day with sums that are made anew each time.
func TestReelSums(t *testing.T) {
	t.Parallel()
	p := openModule(t, "hlReel", "view/reel.ts")
	wrong := browser.Eval[string](p, `(() => {
		let seed = 1
		const random = n => (seed = seed * 48271 % 2147483647) % n, frames = []
		for (let step = 0; step < 1440; step++) if (random(5) === 0) frames.push([step, Array.from({length: 1 + random(3)}, (_, i) => [8 * random(4) + 64 * i, 8 * random(4), 1 + random(9)])])
		const reel = hlReel.makeReel({frames, cell: 8, steps: 1440})
		for (let i = 0; i < 2000; i++) {
			const first = random(1500) - 60, last = first + random(i % 2 ? 1500 : 61), want = new Map()
			let hits = 0
			for (const [step, points] of frames) if (step >= first && step < last) for (const [x, y, n] of points) {
				hits += n
				want.set(x + "," + y, (want.get(x + "," + y) || 0) + n)
			}
			const got = reel.between(first, last), all = []
			for (let j = 0; j < got.points.length; j += 3) all.push((got.points[j] - 4) + "," + (got.points[j + 1] - 4) + "=" + got.points[j + 2])
			const a = all.sort().join(" "), b = [...want].map(([k, n]) => k + "=" + n).sort().join(" ")
			if (got.hits !== hits || a !== b) return first + " to " + last + ": " + got.hits + " " + a + ", want " + hits + " " + b
		}
		const parts = reel.parts(96), all = frames.reduce((n, [, points]) => points.reduce((m, p) => m + p[2], n), 0)
		return parts.length === 96 && parts.reduce((n, m) => n + m) === all ? "" : "parts add up to " + parts.reduce((n, m) => n + m) + ", want " + all
	})()`)
	if wrong != "" {
		t.Error(wrong)
	}
	p.Close()
}
