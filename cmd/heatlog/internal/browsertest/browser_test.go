// Package browsertest has the tests that look at heatlog in a real browser: tracker, overlay, app and demo.
package browsertest

import (
	"os"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// chrome is the browser of all tests of the package, started by the first that opens a page.
var chrome browser.Browser

func TestMain(m *testing.M) {
	code := heatlogtest.Run(m)
	chrome.Close()
	os.Exit(code)
}
