package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestByteSize(t *testing.T) {
	f := func(in string, want int64) {
		t.Helper()
		var s byteSize
		if err := s.UnmarshalText([]byte(in)); err != nil || int64(s) != want {
			t.Errorf("%q is %d, %v; want %d", in, s, err, want)
		}
	}
	f("0", 0)
	f("65536", 65536)
	f("64KiB", 64<<10)
	f("64mib", 64<<20)
	f("1.5 GiB", 3<<29)
	f("64MB", 64_000_000)
	f("2g", 2<<30)
	f("10B", 10)
	for _, in := range []string{"", "MiB", "-1", "1TiBs", "NaN", "Inf", "9e18GiB", "0x10", "1 2"} {
		if err := new(byteSize).UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is a size, want an error", in)
		}
	}
	for size, want := range map[byteSize]string{10: "10 B", 2048: "2.0 KiB", 3 << 20: "3.0 MiB", 3 << 29: "1.5 GiB"} {
		if size.String() != want {
			t.Errorf("%d is written %q, want %q", int64(size), size.String(), want)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		var b bytes.Buffer
		if err := writeJSON(&b, []byte(in)); err != nil || b.String() != want {
			t.Errorf("%s is written %q, %v; want %q", in, b.String(), err, want)
		}
	}
	f(`{}`, "{}\n")
	f(`{"points":[[1,2,3],[4,5,6]],"n":1}`, "{\n  \"points\": [\n    [1,2,3],\n    [4,5,6]\n  ],\n  \"n\": 1\n}\n")
	f(`{"a":["x [ y","z"]}`+"\n", "{\n  \"a\": [\n    \"x [ y\",\n    \"z\"\n  ]\n}\n")
	f(`{"a":["x","y"]}`, "{\n  \"a\": [\"x\",\"y\"]\n}\n")
	if err := writeJSON(io.Discard, []byte(`<html>`)); err == nil {
		t.Error("HTML is written as JSON")
	}
}

// TestLatencies compares quantiles with the times that went in: buckets are at most 1/16 wide.
func TestLatencies(t *testing.T) {
	var a, b latencies
	for i := 1; i <= 10_000; i++ {
		to := &a
		if i%2 == 0 {
			to = &b
		}
		to.record(time.Duration(i) * 10 * time.Microsecond)
	}
	a.add(&b)
	for q, want := range map[float64]time.Duration{0.5: 50 * time.Millisecond, 0.99: 99 * time.Millisecond, 1: 100 * time.Millisecond} {
		if got := a.quantile(q); got < want || got > want*17/16+time.Microsecond {
			t.Errorf("quantile %v is %v, want %v to %v", q, got, want, want*17/16)
		}
	}
}

// TestImportBrokenOff reads an answer that tells of lines before a break.
func TestImportBrokenOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"accepted":3,"rejected":1,"errors":[{"line":2,"message":"x is missing"}],"error":{"code":"broken_body","message":"the body breaks off"}}`)
	}))
	defer server.Close()
	var out, problems bytes.Buffer
	status := run([]string{"import", "--url", server.URL, "-"}, &streams{in: strings.NewReader("{}\n"), out: &out, err: &problems})
	want := "-:2: x is missing\nheatlog: import -: server answered 400: the body breaks off\n"
	if status != 1 || problems.String() != want || !strings.HasPrefix(out.String(), "3 accepted, 1 rejected,") {
		t.Errorf("status %d, stdout %q, stderr %q, want %q", status, out.String(), problems.String(), want)
	}
}

func TestRetention(t *testing.T) {
	f := func(in string, age, size int64) {
		t.Helper()
		var r retention
		if err := r.UnmarshalText([]byte(in)); err != nil || int64(r.age) != age*int64(time.Hour) || int64(r.size) != size {
			t.Errorf("%q is %v, %v", in, r, err)
		}
	}
	f("", 0, 0)
	f("36h", 36, 0)
	f("90d", 90*24, 0)
	f("50GiB", 0, 50<<30)
	f("90d,50GiB", 90*24, 50<<30)
	f("1.5TB, 2y", 2*365*24, 15e11)
	for _, in := range []string{"90", "18m", "18mo", "0d", "-1d", "1.5d", "5m", "2g", "0B", "10x", "90d,", ",", "90d,30d", "1GiB,2GiB", "9999999999y", "forever"} {
		if err := new(retention).UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is a retention, want an error", in)
		}
	}
	for in, want := range map[string]time.Duration{"50GiB": 0, "1h": 10 * time.Minute, "40h": 4 * time.Hour, "90d": 24 * time.Hour} {
		var r retention
		if err := r.UnmarshalText([]byte(in)); err != nil || r.segmentAge() != want {
			t.Errorf("with retention %s a segment is ended after %v, want %v", in, r.segmentAge(), want)
		}
	}
}
