//go:build !linux

package journal

// yieldThread does nothing: threads have no priority of their own here.
func yieldThread() {}
