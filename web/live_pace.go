package web

import (
	"sync"
	"sync/atomic"
	"time"
)

// What live answers may take of the processors before they are told less often.
const (
	liveShare = 0.05             // of all processors' time, for evaluations, encodings and writes together
	paceEvery = time.Second      // over which it is measured
	longWrite = time.Millisecond // that counts of one write at most: what takes longer waits for its client
)

// pace stretches the time between evaluations where many who look on would cost those who bring hits more than a share of the processors.
// On a machine that is busy everything takes longer, so it is stretched sooner there.
type pace struct {
	processors int
	spent      atomic.Int64 // ns, ever

	mu      sync.Mutex // guards all below
	since   time.Time
	before  int64   // spent at since
	stretch float64 // what the shortest time between evaluations is multiplied with; 0 = 1
}

// spend adds time that was spent.
func (p *pace) spend(d time.Duration) { p.spent.Add(int64(d)) }

// wrote adds the time of a write that began at a time.
func (p *pace) wrote(begin time.Time) { p.spend(min(time.Since(begin), longWrite)) }

// factor gives what the shortest time between evaluations is to be multiplied with, 1 to most.
func (p *pace) factor(now time.Time, most float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		p.since, p.stretch = now, 1
	}
	if took := now.Sub(p.since); took >= paceEvery {
		spent := p.spent.Load()
		share := float64(spent-p.before) / (float64(took) * float64(p.processors))
		p.stretch = min(max(p.stretch*max(share/liveShare, 0.5), 1), max(most, 1))
		p.since, p.before = now, spent
	}
	return p.stretch
}
