package journal

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"heatlog/heatmap"
)

// encodePayload makes the payload of one chunk from appends.
func encodePayload(appends ...[]heatmap.Batch) (payload []byte, hits int) {
	e := newEncoder()
	for _, a := range appends {
		unit, n := e.unit(a)
		payload = appendUnit(payload, unit)
		hits += n
	}
	return payload, hits
}

func TestPayloadRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d decoder
	var got heatmap.Chunk
	for round := range 2000 {
		var appends [][]heatmap.Batch
		var want []heatmap.Batch
		for range 1 + r.IntN(4) {
			a := wildBatches(r, 3)
			appends = append(appends, a)
			want = append(want, a...)
		}
		payload, hits := encodePayload(appends...)
		if err := d.payload(string(payload), hits, len(appends), &got); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if diff := cmp.Diff(want, got.Batches); diff != "" || got.Count != hits {
			t.Fatalf("round %d: %d hits, want %d (-want +got):\n%s", round, got.Count, hits, diff)
		}
	}
}

func TestPayloadRoundTripTraffic(t *testing.T) {
	tr := newTraffic(3)
	want := []heatmap.Batch{tr.batch(20), tr.batch(1), tr.batch(500), importLines(4, 4000)[0]}
	payload, hits := encodePayload(want[:2], want[2:])
	var d decoder
	var got heatmap.Chunk
	for range 2 { // into a new chunk, then into the same
		if err := d.payload(string(payload), hits, 2, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Batches); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func TestPayloadLeavesOutEmptyBatches(t *testing.T) {
	one := heatmap.Batch{Site: "s", ID: "b", Hits: []heatmap.Hit{{Site: "s", Kind: heatmap.KindView}}}
	payload, hits := encodePayload([]heatmap.Batch{{Site: "s", ID: "a"}, one, {}})
	var c heatmap.Chunk
	if err := new(decoder).payload(string(payload), hits, 1, &c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]heatmap.Batch{one}, c.Batches); diff != "" || hits != 1 {
		t.Errorf("%d hits (-want +got):\n%s", hits, diff)
	}
}

// Every cut of a payload and every changed byte must give an error or other hits, never a panic.
func TestPayloadDamage(t *testing.T) {
	tr := newTraffic(5)
	payload, hits := encodePayload([]heatmap.Batch{tr.batch(20)}, wildBatches(tr.r, 3))
	var d decoder
	var c heatmap.Chunk
	for n := range payload {
		if err := d.payload(string(payload[:n]), hits, 2, &c); err == nil {
			t.Errorf("payload cut at %d of %d bytes was taken", n, len(payload))
		}
		for bit := range 8 {
			flipped := append([]byte(nil), payload...)
			flipped[n] ^= 1 << bit
			_ = d.payload(string(flipped), hits, 2, &c)
		}
	}
	if err := d.payload(string(payload), hits+1, 2, &c); err == nil {
		t.Error("payload with fewer hits than the header says was taken")
	}
	if err := d.payload(string(payload), hits-1, 2, &c); err == nil {
		t.Error("payload with more hits than the header says was taken")
	}
	if err := d.payload(string(payload), hits, 1, &c); err == nil {
		t.Error("payload with more appends than the header says was taken")
	}
}

// TestUnpack holds that a payload comes back however it is stored, and that one that is not sound, or not as long as its header
// says, is an error and takes no memory.
func TestUnpack(t *testing.T) {
	payload := bytes.Repeat([]byte("main>ul.list>li:nth-of-type(3)>a "), 100)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var u unpacker
	f := func(flags byte, stored []byte, raw int, want string) {
		t.Helper()
		h := chunkHeader{kind: chunkHits, flags: flags, stored: uint32(len(stored)), raw: uint32(raw)}
		s, err := u.unpack(&h, stored)
		if want == "" && (err != nil || s != string(payload)) {
			t.Errorf("flags %d: %d bytes, %v", flags, len(s), err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("flags %d, raw %d: error %v, want %q", flags, raw, err, want)
		}
	}
	n := len(payload)
	for _, c := range []struct {
		flags  byte
		stored []byte
	}{{0, payload}, {flagZstd, enc.EncodeAll(payload, nil)}, {flagS2, s2.Encode(nil, payload)}} {
		f(c.flags, c.stored, n, "")
		f(c.flags, c.stored, n+1, "header says")
		if c.flags != 0 {
			f(c.flags, c.stored[:len(c.stored)-1], n, "decompress payload")
			f(c.flags, bytes.Repeat([]byte{0xff}, 40), n, "payload")
		}
	}
	f(flagS2, binary.AppendUvarint(nil, 1<<31), n, "payload of 2147483648 bytes, header says 3300")
}
