package main

import "heatlog/cmd/heatlog/internal/browser"

// chrome is the browser of all tests of the package, started by the first that opens a page.
var chrome browser.Browser
