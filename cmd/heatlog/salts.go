package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
)

// salts keeps the secret of each day that visitors are hashed with, in a file of mode 0600, so that a batch which is
// sent again after a restart has the same visitor. A day's salt is destroyed within 48 hours of the day's end, in
// whatever zone, after which nobody can tell whose hash it was. It is safe for concurrent use.
type salts struct {
	path  string
	now   func() time.Time
	log   *slog.Logger
	mu    sync.Mutex // held by whoever changes days
	byDay atomic.Pointer[map[heatmap.Date][]byte]
}

// saltBytes is the length of a salt.
const saltBytes = 32

// openSalts reads the file, which is absent at first, and destroys what is too old.
func openSalts(path string, now func() time.Time, log *slog.Logger) (*salts, error) {
	s := &salts{path: path, now: now, log: log}
	days := map[heatmap.Date][]byte{}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &days)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, withHint(fmt.Errorf("read salts %s: %w", path, err), "move the file away: visitors of today then count as new ones")
	}
	s.byDay.Store(&days)
	return s, s.destroyOld()
}

// of gives the salt of a day. One that cannot be written is used all the same, and the log says so.
func (s *salts) of(day heatmap.Date) []byte {
	if salt := (*s.byDay.Load())[day]; salt != nil {
		return salt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if salt := (*s.byDay.Load())[day]; salt != nil {
		return salt
	}
	days := s.kept()
	days[day] = make([]byte, saltBytes)
	rand.Read(days[day])
	if err := s.write(days); err != nil {
		s.log.Error("write salt of the day", "err", err)
	}
	s.byDay.Store(&days)
	return days[day]
}

// kept are the days that are not over yet in some zone, and the one before.
func (s *salts) kept() map[heatmap.Date][]byte {
	today := heatmap.DateOf(s.now().UnixMilli(), time.UTC)
	days := maps.Clone(*s.byDay.Load())
	maps.DeleteFunc(days, func(day heatmap.Date, _ []byte) bool { return day < today-1 })
	return days
}

// destroyOld forgets the days that are over.
func (s *salts) destroyOld() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	days := s.kept()
	if len(days) == len(*s.byDay.Load()) {
		return nil
	}
	if err := s.write(days); err != nil {
		return fmt.Errorf("destroy old salts: %w", err)
	}
	s.byDay.Store(&days)
	return nil
}

// write replaces the file.
func (s *salts) write(days map[heatmap.Date][]byte) error {
	b, err := json.Marshal(days)
	if err != nil {
		return err
	}
	return replaceFile(s.path, append(b, '\n'))
}

// keep destroys old salts every hour until ctx ends.
func (s *salts) keep(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.destroyOld(); err != nil {
			s.log.Error("keep salts", "err", err)
		}
	}
}
