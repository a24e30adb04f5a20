package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

var recordTests = map[string]func(*testing.T, Opener){
	"create, replace, conflict": testRecordRules,
	"names":                     testRecordNames,
	"eight workers":             testRecordWorkers,
	"cancelled context":         testRecordCancelled,
}

func (s store) record(name string) []byte {
	s.t.Helper()
	v, err := s.Record(s.t.Context(), name)
	if err != nil {
		s.t.Fatalf("read record %q: %v", name, err)
	}
	return v
}

func (s store) swapRecord(name string, old, value []byte) bool {
	s.t.Helper()
	ok, err := s.SwapRecord(s.t.Context(), name, old, value)
	if err != nil {
		s.t.Fatalf("swap record %q: %v", name, err)
	}
	return ok
}

func testRecordRules(t *testing.T, open Opener) {
	s := opened(t, open)
	var have []byte
	f := func(old, value []byte, want bool) {
		t.Helper()
		if got := s.swapRecord("r", old, value); got != want {
			t.Fatalf("swap from %#v to %#v at %#v: done is %t", old, value, have, got)
		}
		if want {
			have = bytes.Clone(value)
		}
		if got := s.record("r"); !bytes.Equal(got, have) || (got == nil) != (have == nil) {
			t.Fatalf("record is %#v, want %#v", got, have)
		}
	}
	empty, a, b := []byte{}, []byte("a"), []byte("b\x00")
	f(a, b, false)
	f(empty, a, false) // it is not there, which is not empty
	f(nil, empty, true)
	f(nil, a, false)
	f(a, b, false)
	f(empty, a, true)
	f(empty, b, false)
	f(nil, b, false)
	f([]byte("a\x00"), b, false)
	f(a, a, true)
	f(a, b, true)
	f(b, bytes.Repeat([]byte("long"), 100_000), true)
	f(have, empty, true)
	v := s.record("r")
	if v == nil {
		t.Fatal("an empty record reads as none")
	}
	f(a, nil, false)
	f(nil, nil, false)
	f(empty, nil, true) // deletes
	f(empty, a, false)
	f(nil, nil, true)
	f(nil, b, true)
	f(b, nil, true)
}

func testRecordNames(t *testing.T, open Opener) {
	s := opened(t, open)
	names := []string{"a", "ab", "a\x01", "checkpoint/g1/j1", "checkpoint/g1/j10", "é \"'", "$set.a.b", strings.Repeat("n", 500)}
	for _, name := range names {
		if got := s.record(name); got != nil {
			t.Fatalf("record %q is %q before it is written", name, got)
		}
		if !s.swapRecord(name, nil, []byte(name)) {
			t.Fatalf("record %q cannot be made", name)
		}
	}
	for _, name := range names {
		got := s.record(name)
		if string(got) != name {
			t.Fatalf("record %q is %q", name, got)
		}
		got[0] ^= 0xff
		if string(s.record(name)) != name {
			t.Fatalf("record %q changed with what was read", name)
		}
	}
}

// testRecordWorkers lets workers count in one record.
func testRecordWorkers(t *testing.T, open Opener) {
	s := opened(t, open)
	wins := make([]uint64, workers)
	parallel(t, func(worker int) error {
		rng := rand.New(rand.NewPCG(7, uint64(worker)))
		for range 80 {
			old, err := s.Record(t.Context(), "count")
			if err != nil {
				return err
			}
			if rng.IntN(8) == 0 {
				old = nil
			}
			done, err := s.SwapRecord(t.Context(), "count", old, binary.BigEndian.AppendUint64(nil, count(old)+1))
			if err != nil {
				return err
			}
			if done {
				wins[worker]++
			}
		}
		return nil
	})
	sum := uint64(0)
	for _, n := range wins {
		sum += n
	}
	if got := count(s.record("count")); got != sum || sum == 0 {
		t.Fatalf("record counts %d, but %d swaps were done", got, sum)
	}
}

func testRecordCancelled(t *testing.T, open Opener) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Record(ctx, "r"); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
	if _, err := s.SwapRecord(ctx, "r", nil, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
}
