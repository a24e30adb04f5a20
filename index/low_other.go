//go:build !linux

package index

// atLowPriority runs f.
func atLowPriority(f func()) { f() }
