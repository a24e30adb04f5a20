// Package accuracy measures how near the heat is drawn to where people clicked: real clicks in a real browser on pages that are
// hard to map, through the tracker and the server, shown on the same page and on others that it became.
//
//	make accuracy    writes .bench/accuracy.json
package accuracy

import (
	"os"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

var chrome browser.Browser

func TestMain(m *testing.M) {
	code := heatlogtest.Run(m)
	chrome.Close()
	os.Exit(code)
}
