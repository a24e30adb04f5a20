package index

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSharedAnswer asks one question often at a time: each answer was begun after it was asked for, and few are computed.
func TestSharedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const askers, each = 100, 20
		var s shared[string, time.Time]
		var computed, running atomic.Int32
		compute := func(_ context.Context, begin func()) (time.Time, error) {
			begin()
			if running.Add(1) > 1 {
				t.Error("two are computed at a time")
			}
			defer running.Add(-1)
			computed.Add(1)
			begun := time.Now()
			time.Sleep(10 * time.Millisecond)
			return begun, nil
		}
		var all sync.WaitGroup
		for i := range askers {
			all.Go(func() {
				for range each {
					time.Sleep(time.Duration(i*7%13) * time.Millisecond)
					asked := time.Now()
					begun, err := s.ask(t.Context(), "q", compute)
					if err != nil || begun.Before(asked) || time.Since(asked) > 20*time.Millisecond {
						t.Errorf("asked at %v, begun at %v, took %v, err %v", asked, begun, time.Since(asked), err)
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if n := computed.Load(); n > askers*each/10 {
			t.Errorf("%d answers were computed for %d that were asked for", n, askers*each)
		}
		if len(s.flights) != 0 {
			t.Errorf("%d questions are left", len(s.flights))
		}
	})
}

// TestSharedTurn asks while the computation waits for its turn: all get its answer. Who asks later, or when all who waited have left,
// gets the next.
func TestSharedTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[string, int]
		var computed atomic.Int32
		compute := func(ctx context.Context, begin func()) (int, error) {
			select {
			case <-time.After(time.Second): // its turn
			case <-ctx.Done():
				return 0, ctx.Err()
			}
			begin()
			time.Sleep(time.Second)
			return int(computed.Add(1)), nil
		}
		gone, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		if _, err := s.ask(gone, "q", compute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("left with %v", err)
		}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				want := 1 + i/11 // in the first second the computation waits for its turn
				if i == 10 {
					return // at the very moment
				}
				if got, err := s.ask(t.Context(), "q", compute); got != want || err != nil {
					t.Errorf("who asked after %d00 ms got answer %d, err %v, want %d", i, got, err, want)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if len(s.flights) != 0 {
			t.Errorf("%d questions are left", len(s.flights))
		}
	})
}

// TestSharedQuestions computes different questions at a time.
func TestSharedQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[int, int]
		var all sync.WaitGroup
		start := time.Now()
		for i := range 10 {
			all.Go(func() {
				got, err := s.ask(t.Context(), i, func(context.Context, func()) (int, error) {
					time.Sleep(time.Second)
					return i, nil
				})
				if got != i || err != nil {
					t.Errorf("answer %d to question %d, err %v", got, i, err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1 s", took)
		}
	})
}

// TestSharedAnswerLeft ends a computation when all have left that waited for it, and not before.
func TestSharedAnswerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[string, int]
		begun := 0
		compute := func(ctx context.Context, begin func()) (int, error) {
			begin()
			begun++
			n := begun
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return n, nil
			}
		}
		first, leaveFirst := context.WithCancel(t.Context())
		var all sync.WaitGroup
		ask := func(ctx context.Context, want int, wantErr error) {
			all.Go(func() {
				if got, err := s.ask(ctx, "q", compute); got != want || !errors.Is(err, wantErr) {
					t.Errorf("answer %d, err %v, want %d, %v", got, err, want, wantErr)
				}
			})
			synctest.Wait()
		}
		ask(first, 0, context.Canceled)
		ask(first, 0, context.Canceled) // waits for the second
		ask(t.Context(), 2, nil)        // and so does this one, whom the leaving of others does not concern
		leaveFirst()
		all.Wait()
		synctest.Wait()
		if begun != 2 || len(s.flights) != 0 {
			t.Errorf("%d computations, %d questions left", begun, len(s.flights))
		}
	})
}

// TestSharedEnd ends while answers are computed: whoever waits gets the error of that, and nothing runs on.
func TestSharedEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[string, int]
		var running atomic.Int32
		compute := func(ctx context.Context, begin func()) (int, error) {
			begin()
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			time.Sleep(time.Second) // as a scan that looks at ctx now and then
			return 0, ctx.Err()
		}
		var all sync.WaitGroup
		for i := range 5 {
			time.Sleep(time.Millisecond)
			all.Go(func() {
				ctx := t.Context()
				if i == 0 {
					var leave context.CancelFunc
					ctx, leave = context.WithTimeout(ctx, 10*time.Millisecond)
					defer leave()
				}
				if _, err := s.ask(ctx, "q", compute); err == nil {
					t.Error("an answer without an error")
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		s.end()
		if n := running.Load(); n != 0 {
			t.Errorf("%d computations run after the end", n)
		}
		all.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.ask(gone, "q", compute); !errors.Is(err, context.Canceled) {
			t.Errorf("asked after the end: %v", err)
		}
	})
}

// TestSharedPanic panics in a computation: those who asked have it, where they may recover, and the next answer is a new one.
func TestSharedPanic(t *testing.T) {
	var s shared[string, int]
	ask := func(compute func(context.Context, func()) (int, error)) (panicked any) {
		defer func() { panicked = recover() }()
		s.ask(t.Context(), "q", compute)
		return nil
	}
	if p := ask(func(context.Context, func()) (int, error) { panic("of a blob") }); p != "of a blob" {
		t.Errorf("panicked with %v", p)
	}
	if p := ask(func(context.Context, func()) (int, error) { return 1, nil }); p != nil {
		t.Errorf("then panicked with %v", p)
	}
}
