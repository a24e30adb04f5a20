// Package browsertest has the tests that look at heatlog in a real browser: tracker, overlay, app and demo.
package browsertest

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// chrome is the browser of all tests of the package, started by the first that opens a page.
var chrome browser.Browser

func TestMain(m *testing.M) {
	// tests of a browser wait for it more than they compute: twice as many at a time as cores, if -parallel does not say
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	code := heatlogtest.Run(m)
	chrome.Close()
	os.Exit(code)
}
