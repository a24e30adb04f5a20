package web

import (
	"testing"
	"time"
)

// TestPace spends more and less than the share, on two processors.
func TestPace(t *testing.T) {
	t.Parallel()
	p := pace{processors: 2}
	now := time.Unix(1_767_225_600, 0)
	check := func(what string, want float64) {
		t.Helper()
		if got := p.factor(now, 5); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: stretched by %v, want %v", what, got, want)
		}
	}
	check("at first", 1)
	p.spend(300 * time.Millisecond)
	now = now.Add(paceEvery - 1)
	check("before it is measured", 1)
	now = now.Add(1)
	check("three times the share", 3)
	p.spend(100 * time.Millisecond)
	now = now.Add(paceEvery)
	check("just the share", 3)
	p.spend(2 * time.Second)
	now = now.Add(paceEvery)
	check("the longest", 5)
	now = now.Add(paceEvery)
	check("nothing", 2.5)
	now = now.Add(10 * paceEvery)
	check("nothing for long", 1.25)
	now = now.Add(paceEvery)
	check("at last", 1)
	p.wrote(time.Now().Add(-time.Minute))
	if spent := p.spent.Load() - int64(2400*time.Millisecond); spent != int64(longWrite) {
		t.Errorf("a write that waits for its client counts %v, want %v", time.Duration(spent), longWrite)
	}
}
