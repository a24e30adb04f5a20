package index

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"heatlog/heatmap"
)

// maxShown is how many events a question is shown ahead of what it has counted: most of a second of a busy site. What is shown
// beyond that it reads from the journal.
const maxShown = 16 << 10

// maxHeld is the same for all questions of an index together: at 400 bytes each, and their texts where an expression asks
// for them.
const maxHeld = 64 << 10

// liveSet holds the questions that an index keeps.
type liveSet struct {
	most      int // questions
	limit     int // events that each is shown ahead, maxShown but in tests
	held      atomic.Int64
	listeners atomic.Pointer[listeners] // nil = nobody listens

	mu        sync.Mutex
	all       map[*Kept]bool // guarded by mu
	listening []*Kept        // guarded by mu
	ended     error          // guarded by mu; why no more are kept
	running   sync.WaitGroup
}

func newLiveSet(most int) *liveSet {
	return &liveSet{most: most, limit: maxShown, all: make(map[*Kept]bool)}
}

// add adds a question that runs from then on. The error is a *heatmap.UnavailableError if there are too many, or why none is kept
// any more.
func (s *liveSet) add(k *Kept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	if len(s.all) >= s.most {
		return &heatmap.UnavailableError{Message: fmt.Sprintf("%d questions are kept alive, the limit: ask again when one has ended", s.most)}
	}
	s.all[k] = true
	s.running.Add(1)
	return nil
}

// enter lets something be asked of the index that must be done before it is closed; the caller calls running.Done then.
func (s *liveSet) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.running.Add(1)
	}
	return s.ended
}

// remove takes out a question that does not run any more.
func (s *liveSet) remove(k *Kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, k)
	s.running.Done()
}

// count is the number of questions.
func (s *liveSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// listen lets a question hear the chunks that are shown from now on, or no more.
func (s *liveSet) listen(k *Kept, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(s.listening), func(o *Kept) bool { return o == k })
	if on {
		rest = append(rest, k)
	}
	if s.listening = rest; len(rest) == 0 {
		s.listeners.Store(nil)
		return
	}
	l := newListeners(rest)
	s.listeners.Store(&l)
}

// end ends all questions, and returns when none runs any more.
func (s *liveSet) end(err error) {
	s.mu.Lock()
	s.ended = err
	for k := range s.all {
		k.End(err)
	}
	s.mu.Unlock()
	s.running.Wait()
}
