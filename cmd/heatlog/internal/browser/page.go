package browser

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// call sends one command of the protocol.
func call[P, R any](p *Page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// Eval gives the value of a JavaScript expression, awaited if it is a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	v, err := tryEval[T](p, expression)
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v\nconsole: %q", expression, err, p.Console())
	}
	return v
}

func tryEval[T any](p *Page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Wait waits until a JavaScript expression is true. The page may go to another one meanwhile.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		is, err := tryEval[bool](p, "!!("+expression+")")
		switch {
		case err != nil && !strings.Contains(err.Error(), "navigated"): // asked while it went to another page, it could not answer
			p.t.Fatalf("evaluate %.200s: %v\nconsole: %q", expression, err, p.Console())
		case err == nil && is:
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%.300s is not true after %v\nconsole: %q", expression, patience, p.Console())
		}
	}
}

// Resize makes the page's viewport this size.
func (p *Page) Resize(size Size) {
	p.t.Helper()
	p.Size = size
	if size.Scale == 0 {
		size.Scale = 1
	}
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(size.Width), Height: int64(size.Height), DeviceScaleFactor: size.Scale, Mobile: size.Touch,
	})
	call(p, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: size.Touch})
}

// Dark sets what prefers-color-scheme says.
func (p *Page) Dark(dark bool) {
	p.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	})
}

// Goto loads a URL and waits for its load event.
func (p *Page) Goto(url string) {
	p.t.Helper()
	p.do("open "+url, chromedp.Navigate(url))
}

// Click presses and releases the left button at a place of the viewport, CSS px.
func (p *Page) Click(x, y float64) {
	p.t.Helper()
	for _, kind := range []input.DispatchMouseEventType{
		input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased,
	} {
		params := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			params.Button, params.ClickCount = input.MouseButtonLeft, 1
		}
		call(p, input.DispatchMouseEvent, params)
	}
}

// Tap touches a place of the viewport, CSS px. The page must be of a Size with Touch.
func (p *Page) Tap(x, y float64) {
	p.t.Helper()
	call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{
		Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{{X: x, Y: y}},
	})
	call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{
		Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{},
	})
}

// Point clicks or taps, whichever the page's size is for.
func (p *Page) Point(x, y float64) {
	p.t.Helper()
	if p.Size.Touch {
		p.Tap(x, y)
		return
	}
	p.Click(x, y)
}

// Press types one key, named as KeyboardEvent.key is ("Escape", "Tab", "a").
func (p *Page) Press(key string) {
	p.t.Helper()
	named := map[string]string{"Enter": "\r", "Tab": "\t", "Escape": "\x1b", "Space": " ", "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight, "Home": kb.Home}
	if text, ok := named[key]; ok {
		key = text
	}
	p.do("press "+key, chromedp.KeyEvent(key))
}

// Type puts text into what has the focus.
func (p *Page) Type(text string) {
	p.t.Helper()
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// ScrollTo scrolls the page and waits for two frames.
func (p *Page) ScrollTo(y int) {
	p.t.Helper()
	Eval[bool](p, fmt.Sprintf(`new Promise(done => { scrollTo({top: %d, behavior: "instant"}); requestAnimationFrame(() => requestAnimationFrame(() => done(true))) })`, y))
}

// Keep keeps a screenshot where they are asked for.
func (p *Page) Keep(name string) {
	p.t.Helper()
	if os.Getenv("HEATLOG_TEST_SHOTS") != "" {
		p.Screenshot(name)
	}
}

// Screenshot is what the viewport shows. With HEATLOG_TEST_SHOTS it is also kept in that folder as NAME.png.
func (p *Page) Screenshot(name string) image.Image {
	p.t.Helper()
	shot := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
	if dir := os.Getenv("HEATLOG_TEST_SHOTS"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	picture, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		p.t.Fatalf("decode screenshot: %v", err)
	}
	return picture
}

// Console gives what the page wrote, its uncaught exceptions, and what the browser itself says of it.
func (p *Page) Console() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.console)
}

// Requests gives every request that the page made, as "GET http://…", in order.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Close closes the tab as a person does, with its events.
func (p *Page) Close() {
	p.t.Helper()
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Fatalf("close tab: %v", err)
	}
}
