package index

import (
	"context"
	"math"
	"sync"

	"heatlog/heatmap"
)

// sharedAnswers are the answers of an index that are shared.
type sharedAnswers struct {
	heatmaps shared[heatmap.Query, *heatmap.Heatmap]
	scrolls  shared[heatmap.Query, *heatmap.Scroll]
	lists    shared[heatmap.Query, *heatmap.PageList]
}

// end ends what is computed. What is asked from then on is not shared.
func (a *sharedAnswers) end() {
	a.heatmaps.end()
	a.scrolls.end()
	a.lists.end()
}

// asked is a query with what must be called before anything is read of the log to answer it.
type asked struct {
	heatmap.Query
	begin func()
}

// askShared gives the answer of compute to a query, shared with those who ask the same.
func askShared[A any](ctx context.Context, x *Index, s *shared[heatmap.Query, A], q heatmap.Query, compute func(context.Context, asked) (A, error)) (A, error) {
	if math.IsNaN(q.Noise) {
		return compute(ctx, asked{q, func() {}}) // which refuses it: it equals no other
	}
	return s.ask(ctx, q, func(ctx context.Context, begin func()) (A, error) {
		if !x.isPrepared() {
			begin() // what was carried over, of which the answer may say something, becomes known
		}
		return compute(ctx, asked{q, begin})
	})
}

// shared computes answers, equal ones that are asked for at a time once. Who asks gets an answer that was begun after that: one whose
// computation still waits for its turn, or else the next. So nobody's answer lacks what was counted when it was asked for, and however
// many ask, one at a time is computed of each. The zero value is ready.
type shared[Q comparable, A any] struct {
	mu      sync.Mutex
	flights map[Q]*flight[A] // guarded by mu; of questions of which an answer is being computed
	ended   bool             // guarded by mu
	running sync.WaitGroup   // flights
}

// flight is what goes on about one question: an answer is computed, and next, if it is not nil, comes after it.
type flight[A any] struct{ now, next *round[A] }

// round is one computation of an answer, for all who wait for it.
type round[A any] struct {
	ctx     context.Context // ends when nobody waits any more
	end     context.CancelFunc
	waiting int  // guarded by shared.mu
	begun   bool // guarded by shared.mu; who asks from now on is not to get this answer
	done    chan struct{}
	answer  A
	err     error
	panic   any // of the computation, for all who wait
}

func newRound[A any](ctx context.Context) *round[A] {
	r := &round[A]{done: make(chan struct{})}
	r.ctx, r.end = context.WithCancel(context.WithoutCancel(ctx))
	return r
}

// ask gives the answer of compute, which several may get: nobody may change it. Compute calls begin before it looks at anything
// that may change while it waits.
func (s *shared[Q, A]) ask(ctx context.Context, question Q, compute func(ctx context.Context, begin func()) (A, error)) (A, error) {
	r := s.join(ctx, question, compute)
	if r == nil {
		return compute(ctx, func() {})
	}
	select {
	case <-r.done:
		if r.panic != nil {
			panic(r.panic)
		}
		return r.answer, r.err
	case <-ctx.Done():
		s.leave(r)
		var none A
		return none, ctx.Err()
	}
}

// join gives the round whose answer is that of a question that is asked now, nil if answers are not shared any more.
func (s *shared[Q, A]) join(ctx context.Context, question Q, compute func(context.Context, func()) (A, error)) *round[A] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	f := s.flights[question]
	if f == nil {
		if s.flights == nil {
			s.flights = make(map[Q]*flight[A])
		}
		r := newRound[A](ctx)
		r.waiting = 1
		f = &flight[A]{now: r}
		s.flights[question] = f
		s.running.Go(func() { s.run(question, f, r, compute) })
		return r
	}
	if !f.now.begun && f.now.waiting > 0 {
		f.now.waiting++
		return f.now
	}
	if f.next == nil || f.next.waiting == 0 {
		f.next = newRound[A](ctx)
	}
	f.next.waiting++
	return f.next
}

// begin closes a round to those who ask from now on.
func (s *shared[Q, A]) begin(r *round[A]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.begun = true
}

// leave takes one who waits from a round.
func (s *shared[Q, A]) leave(r *round[A]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.waiting--; r.waiting == 0 {
		r.end()
	}
}

// run computes answers of one question until nobody asks for it.
func (s *shared[Q, A]) run(question Q, f *flight[A], r *round[A], compute func(context.Context, func()) (A, error)) {
	for r != nil {
		s.compute(r, compute)
		r = s.following(question, f)
	}
}

func (s *shared[Q, A]) compute(r *round[A], compute func(context.Context, func()) (A, error)) {
	defer close(r.done)
	defer r.end()
	defer s.begin(r)                       // nobody comes to what is done
	defer func() { r.panic = recover() }() // theirs who asked
	r.answer, r.err = compute(r.ctx, func() { s.begin(r) })
}

// following gives the round that comes after one that is done, nil if nobody waits for one.
func (s *shared[Q, A]) following(question Q, f *flight[A]) *round[A] {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := f.next
	if f.next = nil; r == nil || r.waiting == 0 {
		delete(s.flights, question)
		return nil
	}
	f.now = r
	return r
}

// end cancels what is computed and returns when that has ended: what it reads from may be closed then.
func (s *shared[Q, A]) end() {
	s.mu.Lock()
	s.ended = true
	for _, f := range s.flights {
		f.now.end()
		if f.next != nil {
			f.next.end()
		}
	}
	s.mu.Unlock()
	s.running.Wait()
}
