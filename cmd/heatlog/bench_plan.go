package main

import "time"

// plan says when requests go out, so that there are so many hits a second, evenly.
type plan struct {
	rate  float64 // hits a second, 0 = nothing is planned
	begin time.Time
	hits  int64 // of the requests that went out
}

func newPlan(rate float64) plan { return plan{rate: rate, begin: time.Now()} }

// at is when the next request goes out.
func (p *plan) at() time.Time {
	return p.begin.Add(time.Duration(float64(p.hits) / p.rate * float64(time.Second)))
}

// due reports whether the next request should be out by now.
func (p *plan) due(now time.Time) bool { return p.rate > 0 && !p.at().After(now) }

// wait is how long to wait for something else, ms: until the next request if it could go out, and 1 at least, because a load that
// never sleeps would take the processor from whoever asks questions meanwhile.
func (p *plan) wait(could bool) int {
	const longest = 50
	if p.rate == 0 || !could {
		return longest
	}
	return int(min(max(time.Until(p.at()).Milliseconds(), 1), longest))
}
