package journal

import (
	"runtime"
	"syscall"
)

// yieldThread gives the goroutine a thread of its own with the lowest priority. The thread ends with the goroutine, so the
// priority is nobody else's; threads that the runtime starts later are not made from it.
func yieldThread() {
	runtime.LockOSThread()                               // for good
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19) // 0 = this thread; whatever forbids it, sealing goes on as it can
}
