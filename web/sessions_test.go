package web

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// memoryStore is a SessionStore that counts how often it was written.
type memoryStore struct {
	mu    sync.Mutex
	kept  []byte
	saves int
	err   error
	busy  bool
}

func (m *memoryStore) Load() ([]byte, error) { return m.kept, m.err }

func (m *memoryStore) Save(b []byte) error {
	m.mu.Lock()
	if m.busy {
		panic("Save is called by two goroutines at a time")
	}
	m.busy = true
	m.mu.Unlock()
	kept := bytes.Clone(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy = false
	m.saves++
	if m.err == nil {
		m.kept = kept
	}
	return m.err
}

func openTestSessions(store SessionStore, clock *stillClock) *sessions {
	return openSessions(store, []byte(testToken), clock.Now, slog.New(slog.DiscardHandler))
}

func TestSessionExpiry(t *testing.T) {
	const step = 6 * 24 * time.Hour
	clock := newStillClock()
	s := openTestSessions(nil, clock)
	good := func(secret string, want bool) {
		t.Helper()
		if _, ok := s.find(secret); ok != want {
			t.Errorf("%v after the sign-in the session is good: %v, want %v", clock.Now().Sub(tokenTime), ok, want)
		}
	}
	idle, used := s.create(""), s.create("")
	clock.move(sessionIdle - time.Millisecond)
	good(used, true)
	clock.move(time.Millisecond)
	good(idle, false)
	good(idle, false)
	for range 3 {
		clock.move(step)
		good(used, true)
	}
	clock.move(5*24*time.Hour - time.Millisecond)
	if found, ok := s.find(used); !ok || !found.end().Equal(tokenTime.Add(sessionLife)) {
		t.Errorf("session is good: %v, ends at %v", ok, found.end())
	}
	clock.move(time.Millisecond)
	good(used, false)
	if len(s.byID) != 0 {
		t.Errorf("%d sessions are kept after their end", len(s.byID))
	}
}

func TestSessionEnd(t *testing.T) {
	clock := newStillClock()
	s := openTestSessions(nil, clock)
	secret := s.create("")
	clock.move(time.Hour)
	if found, _ := s.find(secret); !found.end().Equal(clock.Now().Add(sessionIdle)) {
		t.Errorf("session ends at %v, want 7 days after %v", found.end(), clock.Now())
	}
	clock.move(-30 * time.Minute) // set back
	if found, ok := s.find(secret); !ok || !found.seen.Equal(tokenTime.Add(time.Hour)) {
		t.Errorf("after the clock was set back: good %v, seen %v", ok, found.seen)
	}
}

func TestSessionSecrets(t *testing.T) {
	s := openTestSessions(nil, newStillClock())
	secret, other := s.create(""), s.create("")
	if len(secret) != 43 || secret == other {
		t.Errorf("secrets are %q and %q", secret, other)
	}
	f := func(damaged string) {
		t.Helper()
		if _, ok := s.find(damaged); ok {
			t.Errorf("%q is taken for %q", damaged, secret)
		}
		if err := s.revoke(damaged); err != nil {
			t.Errorf("revoke %q: %v", damaged, err)
		}
	}
	f("")
	for i := range secret {
		f(secret[:i])
		f(secret[:i] + "\n" + secret[i:])
		for bit := range 8 {
			b := []byte(secret)
			b[i] ^= 1 << bit
			f(string(b))
		}
	}
	f(secret + "A")
	f(secret + "=")
	f(secret + "\n")
	f(strings.Repeat("A", 43))
	f(strings.Repeat("A", 1<<16))
	for _, good := range []string{secret, other} {
		if _, ok := s.find(good); !ok {
			t.Errorf("session is gone")
		}
	}
}

func TestSessionRotation(t *testing.T) {
	s := openTestSessions(nil, newStillClock())
	old := s.create("")
	again := s.create(old)
	if _, ok := s.find(old); ok || again == old {
		t.Error("the session of before the sign-in is still good")
	}
	if _, ok := s.find(again); !ok {
		t.Error("the new session is not good")
	}
	s.create("of nobody")
	if len(s.byID) != 2 {
		t.Errorf("%d sessions, want 2", len(s.byID))
	}
}

func TestSessionRestart(t *testing.T) {
	clock := newStillClock()
	var store memoryStore
	s := openTestSessions(&store, clock)
	kept, revoked, idle := s.create(""), s.create(""), s.create("")
	if err := s.revoke(revoked); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{kept, revoked, idle} {
		if bytes.Contains(store.kept, []byte(secret)) {
			t.Error("the store has a session's secret")
		}
	}
	clock.move(3 * 24 * time.Hour)
	s.find(kept)
	clock.move(5 * 24 * time.Hour)
	s = openTestSessions(&store, clock)
	f := func(s *sessions, secret string, want bool) {
		t.Helper()
		if _, ok := s.find(secret); ok != want {
			t.Errorf("session is good: %v, want %v", ok, want)
		}
	}
	f(s, kept, true)
	f(s, revoked, false)
	f(s, idle, false)
	f(openSessions(&store, []byte("another admin token"), clock.Now, slog.New(slog.DiscardHandler)), kept, false)
	clock.move(22 * 24 * time.Hour) // 30 days after the sign-in
	f(openTestSessions(&store, clock), kept, false)
}

// TestSessionSaves checks that asking is not writing, but for once an hour.
func TestSessionSaves(t *testing.T) {
	clock := newStillClock()
	var store memoryStore
	s := openTestSessions(&store, clock)
	secret := s.create("")
	f := func(d time.Duration, want int) {
		t.Helper()
		clock.move(d)
		s.find(secret)
		s.find(secret)
		if store.saves != want {
			t.Errorf("%d saves, want %d", store.saves, want)
		}
	}
	f(0, 1)
	f(seenEvery-1, 1)
	f(1, 2)
	f(seenEvery-1, 2)
	f(1, 3)
	s.revoke("nobody's")
	s.revoke(strings.Repeat("A", 43))
	f(0, 3)
	s.revoke(secret)
	f(0, 4)
}

func TestSessionCap(t *testing.T) {
	clock := newStillClock()
	s := openTestSessions(nil, clock) // a save for each would take most of the test's time
	secrets := make([]string, maxSessions)
	for i := range secrets {
		secrets[i] = s.create("")
		clock.move(time.Millisecond)
	}
	var store memoryStore
	s.store = &store
	s.find(secrets[0])
	clock.move(time.Millisecond)
	more := s.create("")
	f := func(s *sessions, secret string, want bool) {
		t.Helper()
		if _, ok := s.find(secret); ok != want {
			t.Errorf("session is good: %v, want %v", ok, want)
		}
	}
	again := openTestSessions(&store, clock)
	for _, s := range []*sessions{s, again} {
		if len(s.byID) != maxSessions {
			t.Errorf("%d sessions, want %d", len(s.byID), maxSessions)
		}
		f(s, secrets[0], true) // the oldest, but used
		f(s, secrets[1], false)
		f(s, secrets[2], true)
		f(s, more, true)
	}
}

// TestSessionStores opens what a store should not have. Nobody is signed in then, and who signs in next is.
func TestSessionStores(t *testing.T) {
	id := strings.Repeat("A", 43) + "="
	f := func(kept string, loadErr error, fragment string) {
		t.Helper()
		var log logBuffer
		store := &memoryStore{kept: []byte(kept), err: loadErr}
		s := openSessions(store, []byte(testToken), newStillClock().Now, log.logger())
		if len(s.byID) != 0 || !strings.Contains(log.String(), fragment) {
			t.Errorf("%.60q gives %d sessions and log %q, want %q", kept, len(s.byID), log.String(), fragment)
		}
		store.err = nil
		secret := s.create("")
		if _, ok := s.find(secret); !ok {
			t.Errorf("after %.60q nobody can sign in", kept)
		}
	}
	f("", nil, "")
	f("", errors.New("disk is gone"), "disk is gone")
	f("\x00", nil, "decode sessions")
	f(`{"version":1,"sessions":[`, nil, "decode sessions")
	f(`{"version":2,"sessions":[]}`, nil, "version 2")
	f(`{}`, nil, "version 0")
	f(`{"version":1,"sessions":[{"id":"`+id+`","made":1,"seen":1},{"id":"AAAA","made":1,"seen":1}]}`, nil, "3 bytes, want 32")
	f(`{"version":1,"sessions":[{"id":"`+id+`","made":1,"seen":1}]}`, nil, "") // ended long ago
	f(`{"version":1,"sessions":[`+strings.Repeat(`{},`, maxSessions)+`{}]}`, nil, "1001 sessions")
}

func TestSessionSaveFails(t *testing.T) {
	var log logBuffer
	store := &memoryStore{err: errors.New("disk is full")}
	s := openSessions(store, []byte(testToken), newStillClock().Now, log.logger())
	secret := s.create("")
	if _, ok := s.find(secret); !ok || !strings.Contains(log.String(), "disk is full") {
		t.Errorf("session is good: %v, log %q", ok, log.String())
	}
	if err := s.revoke(secret); err == nil || err.Error() != "save sessions: disk is full" {
		t.Errorf("revoke: %v", err)
	}
	if _, ok := s.find(secret); ok {
		t.Error("a session whose end could not be saved goes on")
	}
}

func TestSessionsTogether(t *testing.T) {
	clock := newStillClock()
	var store memoryStore
	s := openTestSessions(&store, clock)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 20 {
				secret := s.create("")
				clock.move(time.Minute)
				if _, ok := s.find(secret); !ok {
					t.Errorf("session %d of %d is not good", j, i)
				}
				if j%2 == 0 {
					s.revoke(secret)
				}
			}
		})
	}
	wg.Wait()
	want := len(s.byID)
	if again := openTestSessions(&store, clock); len(again.byID) != want {
		t.Errorf("%d sessions are saved, want %d", len(again.byID), want)
	}
}
