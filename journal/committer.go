package journal

import (
	"runtime"
	"time"
)

// maxYields bounds how often the committer lets others run before it takes a group.
const maxYields = 16

// committer is the one goroutine that writes. Whoever waits when it takes a group goes into the next chunk, so that a slow
// disk makes larger chunks and no timer is needed.
type committer struct {
	j     *Journal
	w     *writer
	timer *time.Timer // AckWrite: runs while hits are written but not synced and no sync is under way
	armed bool
}

func newCommitter(j *Journal, w *writer) *committer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &committer{j: j, w: w, timer: t}
}

// run commits until the queue is closed and empty. The error is that of ending the last segment.
func (c *committer) run() error {
	for {
		select {
		case <-c.j.queue.wake:
			if c.commit() {
				return c.w.close()
			}
		case <-c.timer.C:
			c.armed = false
			c.w.syncLater()
		case r := <-c.w.synced:
			c.w.finishSync(r)
		}
		c.arm()
	}
}

// commit writes the groups that wait; closed says that no more will come.
func (c *committer) commit() (closed bool) {
	for {
		c.gather()
		g, closed := c.j.queue.take()
		if g == nil {
			return closed
		}
		base, err := c.w.commit(g)
		c.j.queue.finish(g, base, err)
		select {
		case r := <-c.w.synced:
			c.w.finishSync(r)
		default:
		}
		c.arm()
		select {
		case <-c.timer.C:
			c.armed = false
			c.w.syncLater()
		default:
		}
	}
}

// gather lets every goroutine that could append now do so. A committer that was just woken runs ahead of the others
// otherwise: on one core it would find a single append in the queue every time.
func (c *committer) gather() {
	n := c.j.queue.count()
	for range maxYields {
		runtime.Gosched()
		m := c.j.queue.count()
		if m == n {
			return
		}
		n = m
	}
}

// arm starts the timer if there is something to sync.
func (c *committer) arm() {
	if !c.armed && c.w.wantsSync() {
		c.armed = true
		c.timer.Reset(c.j.o.SyncEvery)
	}
}
