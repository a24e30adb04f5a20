package web

import (
	"context"
	"time"

	"heatlog/heatmap"
)

// LiveReader begins answers that stay alive. Errors are those of Reader, and a *heatmap.UnavailableError where there are too many.
type LiveReader interface {
	Keep(ctx context.Context, q heatmap.Question) (Kept, error)
}

// Kept is an answer that stays alive until it is closed. Update is called by one goroutine at a time.
type Kept interface {
	// Changed has a value when there is something for Update to tell.
	Changed() <-chan struct{}
	// Update tells what changed since it was called before; the first time everything that is known by then, as soon as there is
	// something to tell. An error ends the answer: heatmap.ErrSwitched, heatmap.ErrNewDay and heatmap.ErrRestart mean that the
	// same question must be asked anew.
	Update(ctx context.Context) (*heatmap.Update, error)
	Close()
}

// LiveLimits bound what answers that stay alive cost. The zero value has the defaults.
type LiveLimits struct {
	// Nodes is how many questions of a site are alive at a time, default 64. One that nobody listens to makes room for a new one.
	Nodes int
	// Streams is how many streams there are at a time, default 4,096, and CallerStreams how many of them an overlay token or a
	// session has, default 64. The admin token has as many as there are.
	Streams, CallerStreams int

	// Tick is the least time between two evaluations of a question, default 200 ms: half of the 300 ms that a hit may take to the
	// screen must be left for what comes before and after. It grows to ten times what an evaluation and its encoding cost, so that
	// no question takes more than a tenth of a processor, but to no more than a second.
	Tick time.Duration
	// Beat is how often a stream has a message at least, so that a connection that was lost is seen to, default 5 s.
	Beat time.Duration
	// Linger is how long a question stays alive when nobody listens to it, default 30 s.
	Linger time.Duration
	// WriteLimit is how long a client may take for a message, and as long again for each MiB of it, default 10 s.
	WriteLimit time.Duration
}

// maxTick is the longest time between two evaluations of a question that changes all the time.
const maxTick = time.Second

func (l LiveLimits) withDefaults() LiveLimits {
	for _, n := range []struct {
		limit    *int
		standard int
	}{{&l.Nodes, 64}, {&l.Streams, 4096}, {&l.CallerStreams, 64}} {
		if *n.limit <= 0 {
			*n.limit = n.standard
		}
	}
	for _, d := range []struct {
		limit    *time.Duration
		standard time.Duration
	}{{&l.Tick, 200 * time.Millisecond}, {&l.Beat, 5 * time.Second}, {&l.Linger, 30 * time.Second}, {&l.WriteLimit, 10 * time.Second}} {
		if *d.limit <= 0 {
			*d.limit = d.standard
		}
	}
	return l
}

// LiveStats are the totals of the answers that stay alive.
type LiveStats struct {
	Nodes       int    // questions that are alive
	Streams     int    // those who listen to them
	Evaluations uint64 // times that what changed was asked for
	Encodings   uint64 // messages that were encoded
	Messages    uint64 // messages that were sent: as many were shared as these are more than encoded
	SentBytes   uint64 // their length
	Resets      uint64 // times that a question had to be asked anew
	Refused     uint64 // questions and streams that would have been too many
	CutOff      uint64 // streams whose client did not take a message in time
}
