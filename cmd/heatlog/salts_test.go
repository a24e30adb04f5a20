package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

func TestSaltsOutliveTheProcessButNotTheDay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts.json")
	now := time.Date(2026, 3, 10, 23, 0, 0, 0, time.UTC)
	open := func() *salts {
		s, err := openSalts(path, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	day := heatmap.DateOf(now.UnixMilli(), time.UTC)
	today, tomorrow := s.of(day), s.of(day+1)
	if len(today) != saltBytes || bytes.Equal(today, tomorrow) || bytes.Equal(today, make([]byte, saltBytes)) {
		t.Fatalf("salts %x and %x", today, tomorrow)
	}
	if s = open(); !bytes.Equal(s.of(day), today) || !bytes.Equal(s.of(day+1), tomorrow) {
		t.Fatal("a restart changed the salts")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode of the file: %v, %v", info.Mode(), err)
	}
	now = now.Add(48 * time.Hour)
	if err := s.destroyOld(); err != nil {
		t.Fatal(err)
	}
	if s = open(); !bytes.Equal(s.of(day+1), tomorrow) || bytes.Equal(s.of(day), today) {
		t.Fatal("48 hours later the first day's salt must be gone and the second's kept")
	}
}

func TestSaltsRefuseDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts.json")
	if err := os.WriteFile(path, []byte(`{"20522":"AAA`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSalts(path, time.Now, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "read salts") {
		t.Fatalf("error %v", err)
	}
}
