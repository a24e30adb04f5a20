//go:build race

package journal_test

// sparse is how many times fewer places the longest tests damage: the race detector makes them ten times slower, and they
// run without it too.
const sparse = 16
