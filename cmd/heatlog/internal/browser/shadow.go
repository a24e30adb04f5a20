package browser

import (
	"encoding/json"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// InShadow calls a JavaScript function with the shadow root, open or closed, of the first element that a selector finds, and
// gives what it returns.
func InShadow[T any](p *Page, selector, function string) T {
	p.t.Helper()
	var v T
	host := call(p, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.querySelector(" + quote(selector) + ")"})
	if host.Result == nil || host.Result.ObjectID == "" {
		p.t.Fatalf("there is no %s in the page\nconsole: %q", selector, p.Console())
	}
	node := call(p, dom.DescribeNode, dom.DescribeNodeParams{ObjectID: host.Result.ObjectID, Pierce: new(true), Depth: new(int64(1))})
	if len(node.Node.ShadowRoots) == 0 {
		p.t.Fatalf("%s has no shadow root", selector)
	}
	root := call(p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node.Node.ShadowRoots[0].BackendNodeID})
	got := call(p, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: root.Object.ObjectID, ReturnByValue: new(true), AwaitPromise: new(true),
		Arguments: []*runtime.CallArgument{{ObjectID: root.Object.ObjectID}},
	})
	if got.ExceptionDetails != nil {
		p.t.Fatalf("call %.200s: %s %s", function, got.ExceptionDetails.Text, got.ExceptionDetails.Exception.Description)
	}
	if err := json.Unmarshal(got.Result.Value, &v); err != nil {
		p.t.Fatalf("call %.200s: %v in %s", function, err, got.Result.Value)
	}
	return v
}

// BeforeLoad has a script run in every document of the page, before the document's own.
func (p *Page) BeforeLoad(script string) {
	p.t.Helper()
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// Hover moves the mouse to a place of the viewport, CSS px.
func (p *Page) Hover(x, y float64) {
	p.t.Helper()
	call(p, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: x, Y: y})
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always is JSON
	return string(b)
}
