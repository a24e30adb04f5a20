package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore"
)

// fakeRemote is a database with one record, whose answers wait while it is stalled and fail while it is down.
type fakeRemote struct {
	remote  // what is not asked for
	down    atomic.Pointer[error]
	stalled atomic.Bool
	pings   atomic.Int64
}

func (f *fakeRemote) answer(ctx context.Context) error {
	if f.stalled.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := f.down.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *fakeRemote) Ping(ctx context.Context) error {
	f.pings.Add(1)
	return f.answer(ctx)
}

func (f *fakeRemote) Close(context.Context) error { return nil }
func (f *fakeRemote) Stats() mongostore.Stats     { return mongostore.Stats{} }

func (f *fakeRemote) Record(ctx context.Context, name string) ([]byte, error) {
	return []byte(name), f.answer(ctx)
}

func (f *fakeRemote) Swap(ctx context.Context, writes []index.Write) ([]bool, error) {
	return make([]bool, len(writes)), f.answer(ctx)
}

func (f *fakeRemote) Scan(ctx context.Context, _ index.Range, fn func(index.Doc) error) error {
	if err := fn(index.Doc{Watermark: 1}); err != nil {
		return err
	}
	return f.answer(ctx)
}

func (f *fakeRemote) fails(err error) { f.down.Store(&err) }

func openFake(t *testing.T, f *fakeRemote) (*database, *safeBuffer) {
	t.Helper()
	log := new(safeBuffer)
	d := openDatabase("mongodb://db.example/heat", func() (remote, error) { return f, nil }, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return d, log
}

// safeBuffer is a buffer that several write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// isOut reports whether err says that the database is out of reach, and why.
func isOut(err error, why string) bool {
	var e *heatmap.UnavailableError
	return errors.As(err, &e) && strings.Contains(e.Message, "the store is out of reach since 20") && strings.Contains(e.Message, why)
}

// TestDatabaseReach takes a database away at the start, in the middle and in the middle of what is asked of it.
func TestDatabaseReach(t *testing.T) {
	ctx, f := t.Context(), new(fakeRemote)
	f.fails(errors.New("nobody listens"))
	d, log := openFake(t, f)
	if _, err := d.Record(ctx, "a"); !isOut(err, "nobody listens") {
		t.Fatalf("error at the start is %v", err)
	}
	f.down.Store(nil)
	if err := d.await(ctx); err != nil {
		t.Fatal(err)
	}
	if value, err := d.Record(ctx, "a"); err != nil || string(value) != "a" {
		t.Fatalf("record is %q, %v", value, err)
	}

	f.fails(errors.New("not the primary"))
	_, err := d.Swap(ctx, make([]index.Write, 1))
	var failed *heatmap.UnavailableError
	if !errors.As(err, &failed) || failed.Err.Error() != "not the primary" {
		t.Fatalf("error is %v", err)
	}
	for d.down() == nil { // the next sign of life is asked for at once
		if sleep(ctx, time.Millisecond) != nil {
			t.Fatal("it is not found out")
		}
	}
	pings := f.pings.Load()
	for range 100 {
		if err := d.Scan(ctx, index.Range{}, func(index.Doc) error { return nil }); !isOut(err, "not the primary") {
			t.Fatalf("error is %v", err)
		}
	}
	if n := f.pings.Load() - pings; n > 5 {
		t.Errorf("%d signs of life were asked for by 100 operations that nobody could answer", n)
	}
	f.down.Store(nil)
	if err := d.await(ctx); err != nil {
		t.Fatal(err)
	}

	f.stalled.Store(true)
	start := time.Now()
	if _, err := d.Record(ctx, "a"); !isOut(err, "no answer within 3s") {
		t.Errorf("error of what was under way is %v", err)
	}
	if took := time.Since(start); took >= readPatience {
		t.Errorf("who asked waited %v", took)
	}
	gone, leave := context.WithCancel(ctx)
	leave()
	f.stalled.Store(false)
	if err := d.await(ctx); err != nil {
		t.Fatal(err)
	}
	f.fails(context.Canceled)
	if _, err := d.Record(gone, "a"); err != context.Canceled {
		t.Errorf("error of a caller who has gone is %v", err)
	}
	f.down.Store(nil)

	mine := errors.New("mine")
	if err := d.Scan(ctx, index.Range{}, func(index.Doc) error { return mine }); err != mine {
		t.Errorf("error of who reads is %v", err)
	}
	lines := log.String()
	if n := strings.Count(lines, "store is out of reach"); n != 3 {
		t.Errorf("%d lines about 3 outages:\n%s", n, lines)
	}
	if n := strings.Count(lines, "store is reached"); n != 3 {
		t.Errorf("%d lines about the end of 3 outages:\n%s", n, lines)
	}
}

// TestDatabaseUnopened cannot even make a store at the start, as name servers do not answer.
func TestDatabaseUnopened(t *testing.T) {
	f := new(fakeRemote)
	var tries atomic.Int64
	d := openDatabase("mongodb+srv://db.example/heat", func() (remote, error) {
		if tries.Add(1) < 3 {
			return nil, errors.New("no such host")
		}
		return f, nil
	}, slog.New(slog.DiscardHandler))
	defer d.Close(context.Background())
	if err := d.err(); !isOut(err, "no such host") {
		t.Errorf("error is %v", err)
	}
	if s := d.stats(); s != (mongostore.Stats{}) {
		t.Errorf("stats are %+v", s)
	}
	if err := d.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.err(); err != nil {
		t.Error(err)
	}
}
