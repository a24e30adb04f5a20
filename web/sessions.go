package web

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Bounds of sessions.
const (
	sessionIdle  = 7 * 24 * time.Hour  // without a request
	sessionLife  = 30 * 24 * time.Hour // in all
	maxSessions  = 1000                // the one that was used least recently goes
	sessionBytes = 32                  // of the secret in the cookie

	// seenEvery is how much later than the one that was saved a session's last request must be to be saved: after a
	// restart a session may seem to have been idle for as much longer.
	seenEvery = time.Hour
)

// SessionStore keeps the sessions of those who are signed in across restarts. What it keeps opens nothing: a session's
// secret is in its browser alone.
type SessionStore interface {
	// Load gives what Save was last given, and nil where there is nothing.
	Load() ([]byte, error)

	// Save replaces what is kept. It is not called by two goroutines at a time.
	Save([]byte) error
}

// sessionID is what is kept of a session's secret: its HMAC-SHA-256 under the admin token, so that no session outlives
// a change of it.
type sessionID [sha256.Size]byte

// session is when somebody signed in and when they were last seen.
type session struct{ made, seen, saved time.Time }

// end is the instant from which the session is no longer good.
func (s session) end() time.Time {
	idle, life := s.seen.Add(sessionIdle), s.made.Add(sessionLife)
	if idle.Before(life) {
		return idle
	}
	return life
}

// sessions are those that are signed in. It is safe for concurrent use.
type sessions struct {
	key   []byte       // of the HMAC
	store SessionStore // nil = none
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	byID map[sessionID]session

	saving sync.Mutex // held from taking what is saved until it is: the last one to save has the newest
}

// openSessions reads what the store has. What cannot be read is as good as signed out.
func openSessions(store SessionStore, key []byte, now func() time.Time, log *slog.Logger) *sessions {
	s := &sessions{key: key, store: store, now: now, log: log, byID: map[sessionID]session{}}
	if store == nil {
		return s
	}
	b, err := store.Load()
	if err == nil && len(b) > 0 {
		err = s.decode(b)
	}
	if err != nil {
		log.Warn("read sessions, all must sign in again", "err", err)
	}
	return s
}

// create makes a session in place of old, which may be "", and gives the secret of its cookie.
func (s *sessions) create(old string) (secret string) {
	random := make([]byte, sessionBytes)
	rand.Read(random)
	secret = tokenText(random)
	id, _ := s.idOf(secret)
	now := s.now()

	s.mu.Lock()
	if oldID, ok := s.idOf(old); ok {
		delete(s.byID, oldID)
	}
	s.sweep(now)
	for len(s.byID) >= maxSessions {
		delete(s.byID, s.leastRecent())
	}
	s.byID[id] = session{made: now, seen: now, saved: now}
	s.mu.Unlock()

	if err := s.save(); err != nil {
		s.log.Error("a sign-in will not outlive the process", "err", err)
	}
	return secret
}

// find gives the session of a secret, if it is good, and notes that it was seen.
func (s *sessions) find(secret string) (session, bool) {
	id, ok := s.idOf(secret)
	if !ok {
		return session{}, false
	}
	now := s.now()
	s.mu.Lock()
	found, ok := s.byID[id]
	if !ok || !now.Before(found.end()) {
		delete(s.byID, id)
		s.mu.Unlock()
		return session{}, false
	}
	if now.After(found.seen) {
		found.seen = now
	}
	late := now.Sub(found.saved) >= seenEvery
	if late {
		found.saved = now
	}
	s.byID[id] = found
	s.mu.Unlock()
	if late {
		if err := s.save(); err != nil {
			s.log.Error("note when sessions were used", "err", err)
		}
	}
	return found, true
}

// isGood reports whether a secret is that of a session that is good, which is not noted as seen.
func (s *sessions) isGood(secret string) bool {
	id, ok := s.idOf(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	found, known := s.byID[id]
	return ok && known && s.now().Before(found.end())
}

// revoke ends a session. An error means that it may come back when the process starts again.
func (s *sessions) revoke(secret string) error {
	id, ok := s.idOf(secret)
	if !ok {
		return nil
	}
	s.mu.Lock()
	_, ok = s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	if !ok {
		return nil
	}
	return s.save()
}

// idOf is what is kept of a secret; ok is false for what cannot be one.
func (s *sessions) idOf(secret string) (id sessionID, ok bool) {
	random, ok := tokenBytes(secret)
	if !ok || len(random) != sessionBytes {
		return id, false
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write(random)
	return sessionID(mac.Sum(nil)), true
}

// sweep forgets what has ended. s.mu is held.
func (s *sessions) sweep(now time.Time) {
	maps.DeleteFunc(s.byID, func(_ sessionID, v session) bool { return !now.Before(v.end()) })
}

// leastRecent is the session that was seen longest ago. s.mu is held, and there is one.
func (s *sessions) leastRecent() sessionID {
	var oldest sessionID
	first := true
	for id, v := range s.byID {
		if first || v.seen.Before(s.byID[oldest].seen) {
			oldest, first = id, false
		}
	}
	return oldest
}

// save gives all sessions to the store.
func (s *sessions) save() error {
	if s.store == nil {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	b, err := s.encode()
	if err != nil {
		return err
	}
	if err := s.store.Save(b); err != nil {
		return fmt.Errorf("save sessions: %w", err)
	}
	return nil
}

// savedSessions is the JSON that a store keeps. Times are Unix ms.
type savedSessions struct {
	Version  int            `json:"version"`
	Sessions []savedSession `json:"sessions"`
}

type savedSession struct {
	ID   []byte `json:"id"`
	Made int64  `json:"made"`
	Seen int64  `json:"seen"`
}

const savedVersion = 1

func (s *sessions) encode() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(s.now())
	saved := savedSessions{Version: savedVersion, Sessions: make([]savedSession, 0, len(s.byID))}
	for id, v := range s.byID {
		saved.Sessions = append(saved.Sessions, savedSession{id[:], v.made.UnixMilli(), v.seen.UnixMilli()})
	}
	slices.SortFunc(saved.Sessions, func(a, b savedSession) int { return cmp.Compare(a.Made, b.Made) })
	return json.Marshal(saved)
}

// decode takes over what encode gave, but for what has ended.
func (s *sessions) decode(b []byte) error {
	var saved savedSessions
	if err := json.Unmarshal(b, &saved); err != nil {
		return fmt.Errorf("decode sessions: %w", err)
	}
	if saved.Version != savedVersion || len(saved.Sessions) > maxSessions {
		return fmt.Errorf("decode sessions: version %d with %d sessions, want version %d with at most %d",
			saved.Version, len(saved.Sessions), savedVersion, maxSessions)
	}
	byID := make(map[sessionID]session, len(saved.Sessions))
	for _, v := range saved.Sessions {
		if len(v.ID) != len(sessionID{}) {
			return fmt.Errorf("decode sessions: id of %d bytes, want %d", len(v.ID), len(sessionID{}))
		}
		seen := time.UnixMilli(v.Seen)
		byID[sessionID(v.ID)] = session{made: time.UnixMilli(v.Made), seen: seen, saved: seen}
	}
	s.byID = byID
	s.sweep(s.now())
	return nil
}
