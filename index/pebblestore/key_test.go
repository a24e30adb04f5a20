package pebblestore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

func oddTexts() []string {
	return []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x01", "a\x00b", "a\x00\xff", "a\x01", "ab", "\xff", "\xff\xff", "\xff\x00"}
}

// TestKeyOrder compares the order of keys with that of what they stand for, and reads each key back.
func TestKeyOrder(t *testing.T) {
	var refs []index.Ref
	for _, page := range oddTexts() {
		for _, period := range []heatmap.Period{0, 1, 0xff, 0x100, 1 << 16, 1<<32 - 1} {
			for _, source := range oddTexts() {
				refs = append(refs, index.Ref{Generation: "g", Key: heatmap.Key{Site: "s", Page: page, Period: period}, Source: source})
			}
		}
	}
	site := appendSite(nil, "g", "s")
	keys := make([][]byte, len(refs))
	for i := range refs {
		key, err := appendDoc(nil, &refs[i])
		if err != nil {
			t.Fatal(err)
		}
		page, period, source, err := cutDoc(key[len(site):])
		got := index.Ref{Generation: "g", Key: heatmap.Key{Site: "s", Page: unescape(page), Period: period}, Source: string(source)}
		if err != nil || got != refs[i] {
			t.Fatalf("key %x reads as %+v, %v, want %+v", key, got, err, refs[i])
		}
		keys[i] = key
	}
	for i, a := range refs {
		for j, b := range refs {
			want := cmp.Or(strings.Compare(a.Page, b.Page), cmp.Compare(a.Period, b.Period), strings.Compare(a.Source, b.Source))
			if got := bytes.Compare(keys[i], keys[j]); got != want {
				t.Fatalf("keys of %+v and %+v compare %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestKeyApart(t *testing.T) {
	seen := map[string]index.Ref{}
	for _, g := range oddTexts() {
		for _, s := range oddTexts() {
			for _, p := range oddTexts() {
				r := index.Ref{Generation: g, Key: heatmap.Key{Site: s, Page: p}, Source: "j"}
				key, err := appendDoc(nil, &r)
				if err != nil {
					t.Fatal(err)
				}
				if other, ok := seen[string(key)]; ok {
					t.Fatalf("%+v and %+v have one key", r, other)
				}
				seen[string(key)] = r
			}
		}
	}
}

func TestKeyTooLong(t *testing.T) {
	r := index.Ref{Key: heatmap.Key{Site: "s", Page: strings.Repeat("\x00", maxKey/2)}}
	if _, err := appendDoc(nil, &r); err == nil || !strings.Contains(err.Error(), "limit 65536") {
		t.Fatalf("error is %v, want one about the limit", err)
	}
}

// TestKeyDamage cuts and changes a key: what cannot be a document's key is an error, never a panic.
func TestKeyDamage(t *testing.T) {
	key := binary.BigEndian.AppendUint32(appendText(nil, "a\x00b"), 7)
	for n := range key {
		if _, _, _, err := cutDoc(key[:n]); err == nil {
			t.Errorf("key of %d bytes of %d has no error", n, len(key))
		}
		bad := bytes.Clone(key)
		bad[n] ^= 0x55
		if page, period, _, err := cutDoc(bad); err == nil && bytes.Equal(page, key[:4]) && period == 7 && n < len(key)-4 {
			t.Errorf("key changed at %d reads the same", n)
		}
	}
}

func TestValue(t *testing.T) {
	for _, w := range []uint64{1, 127, 128, 1 << 40, 1<<64 - 1} {
		value := appendValue(nil, w, []byte("blob"))
		got, blob, err := cutValue(value)
		if err != nil || got != w || string(blob) != "blob" || len(value) > valueSize(blob) {
			t.Errorf("value %x reads as %d, %q, %v", value, got, blob, err)
		}
		if _, _, err := cutValue(value[:len(value)-5]); err == nil {
			t.Errorf("value %x without its last watermark byte has no error", value)
		}
	}
	for _, bad := range []string{"", "\x01", "\x01\x00blob", "\x02\x05blob", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if _, _, err := cutValue([]byte(bad)); err == nil {
			t.Errorf("value %x has no error", bad)
		}
	}
}

func TestAfter(t *testing.T) {
	f := func(prefix, want string) {
		t.Helper()
		if got := after([]byte(prefix)); string(got) != want || (want == "") != (got == nil) {
			t.Errorf("after %x is %x, want %x", prefix, got, want)
		}
	}
	f("a", "b")
	f("a\xff", "b")
	f("a\x00\xff\xff", "a\x01")
	f("\xff\xff", "")
	f("", "")
}
