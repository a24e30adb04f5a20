package index

import (
	"runtime"
	"syscall"
)

// lowest is the nice value of what gets only what nobody else wants.
const lowest = 19

// atLowPriority runs f on a thread of the lowest priority. The thread ends with the goroutine: what has been given up
// cannot be taken back.
func atLowPriority(f func()) {
	runtime.LockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest) // of the calling thread; without it f is only less polite
	f()
}
