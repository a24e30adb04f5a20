package mongostore

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

func oddTexts() []string {
	return []string{"", "\x00", "\x00\x00", "\x00\x01", " ", "  ", "!", "!00", "\"", "~", "~ff", "}", "\x7f", "a", "a\x00", "a ", "a b", "a!", "a~", "ab", "é", "\xff", "\xff\xff", "\xff\x00", "z"}
}

// oddSources lie among, below and above the common ones.
func oddSources() []string {
	const common = "5f00a1b2c3d4e5f60718293a4b5c6d7e"
	return append(oddTexts(), common, common[:31], common+"0", common+" ", common[:31]+"f", common[:31]+"g", common[:31]+"E", "5F00",
		strings.Repeat("0", 32), strings.Repeat("0", 31), strings.Repeat("f", 32), strings.Repeat("f", 33), "/", "0", "00", "1", "10", "9", ":", "A", "_", "`", "f", "g", "j1", "j10")
}

// TestIDOrder compares the order of ids with that of what they stand for, and reads each id back.
func TestIDOrder(t *testing.T) {
	var refs []index.Ref
	for _, page := range oddTexts() {
		for _, period := range []heatmap.Period{0, 1, 63, 64, 682, 4095, 4096, 85_990, 1 << 18, 1<<32 - 1} {
			for i, source := range oddSources() {
				if page != "a" && i%5 > 0 || period > 64 && i%3 > 0 {
					continue
				}
				refs = append(refs, index.Ref{Generation: "g", Key: heatmap.Key{Site: "s", Page: page, Period: period}, Source: source})
			}
		}
	}
	ids := make([]string, len(refs))
	var reader refReader
	for i := range refs {
		id, err := idOf(&refs[i])
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("id %q of %+v is not ASCII that can be printed", id, refs[i])
		}
		if got, err := reader.read(id); err != nil || got != refs[i] {
			t.Fatalf("id %q reads as %+v, %v, want %+v", id, got, err, refs[i])
		}
		ids[i] = id
	}
	for i, a := range refs {
		for j, b := range refs {
			want := cmp.Or(strings.Compare(a.Page, b.Page), cmp.Compare(a.Period, b.Period), strings.Compare(a.Source, b.Source))
			if got := strings.Compare(ids[i], ids[j]); got != want {
				t.Fatalf("ids of %+v and %+v compare %d, want %d: %q, %q", a, b, got, want, ids[i], ids[j])
			}
			if (ids[j] > ids[i]) != (ids[j] >= ids[i]+string(endOf)) {
				t.Fatalf("what follows %q does not begin at %q: %q", ids[i], ids[i]+string(endOf), ids[j])
			}
		}
	}
}

func TestIDApart(t *testing.T) {
	seen := map[string]index.Ref{}
	for _, g := range oddTexts() {
		for _, s := range oddTexts() {
			for _, p := range oddTexts() {
				r := index.Ref{Generation: g, Key: heatmap.Key{Site: s, Page: p}, Source: "j"}
				id, err := idOf(&r)
				if err != nil {
					t.Fatal(err)
				}
				if other, ok := seen[id]; ok {
					t.Fatalf("%+v and %+v have one id", r, other)
				}
				seen[id] = r
			}
		}
	}
}

// TestIDGolden holds the format: documents under these ids are in databases.
func TestIDGolden(t *testing.T) {
	f := func(r index.Ref, want string) {
		t.Helper()
		if got, err := idOf(&r); err != nil || got != want {
			t.Errorf("id of %+v is %q, %v, want %q", r, got, err, want)
		}
	}
	key := heatmap.Key{Site: "shop", Page: "https://shop.example/é?q=a b", Period: heatmap.DayPeriod(20_454)}
	f(index.Ref{Generation: "g1", Key: key, Source: "5f00a1b2c3d4e5f60718293a4b5c6d7e"}, "g1 shop https://shop.example/~c3~a9?q=a!20b 3JzaMk1WggEJtUN651ZuHplhUV")
	key.Period = heatmap.MonthPeriod(20_454)
	f(index.Ref{Generation: "g1", Key: key, Source: "j1"}, "g1 shop https://shop.example/~c3~a9?q=a!20b 29Vzzzzzzzzzzzzzzzzzzzzzk~j1")
	f(index.Ref{Source: " "}, "   1-!!20")
}

func TestIDTooLong(t *testing.T) {
	r := index.Ref{Key: heatmap.Key{Site: "s", Page: strings.Repeat("\x00", maxID/3)}}
	if _, err := idOf(&r); err == nil || !strings.Contains(err.Error(), "limit 65536") {
		t.Fatalf("error is %v, want one about the limit", err)
	}
}

// TestIDDamage cuts and changes an id: what reads back is what was written so.
func TestIDDamage(t *testing.T) {
	r := index.Ref{Generation: "g\x00", Key: heatmap.Key{Site: "s", Page: "pé", Period: 85_990}, Source: "j1"}
	id, err := idOf(&r)
	if err != nil {
		t.Fatal(err)
	}
	for n := range id {
		checkID(t, id[:n])
		for _, c := range []byte{' ', '!', '~', '0', 'Z', 'z', 0, 0xff} {
			checkID(t, id[:n]+string([]byte{c})+id[n+1:])
		}
	}
}

// checkID fails if id reads as what is written otherwise.
func checkID(t *testing.T, id string) {
	t.Helper()
	ref, err := new(refReader).read(id)
	if err != nil {
		return
	}
	if again, err := idOf(&ref); err == nil && again != id {
		t.Errorf("id %q reads as %+v, which is written %q", id, ref, again)
	}
}

// FuzzID reads any text as an id: what is taken is written as it was. Any reference is read back.
func FuzzID(f *testing.F) {
	f.Add("g1 shop p!00 3Jzd5f", "g", "s", "p", uint32(7), "5f00a1b2c3d4e5f60718293a4b5c6d7e", "5f00a1b2c3d4e5f60718293a4b5c6d7")
	f.Add("", "", "", "", uint32(0), "", "0")
	f.Fuzz(func(t *testing.T, id, generation, site, page string, period uint32, source, other string) {
		checkID(t, id)
		a := index.Ref{Generation: generation, Key: heatmap.Key{Site: site, Page: page, Period: heatmap.Period(period)}, Source: source}
		b := a
		b.Source = other
		idA, errA := idOf(&a)
		idB, errB := idOf(&b)
		if errA != nil || errB != nil {
			return
		}
		if got, err := new(refReader).read(idA); err != nil || got != a {
			t.Errorf("id %q of %+v reads as %+v, %v", idA, a, got, err)
		}
		if strings.Compare(idA, idB) != strings.Compare(source, other) {
			t.Errorf("ids of sources %q and %q: %q, %q", source, other, idA, idB)
		}
	})
}

// TestCommonSource holds the greatest common source at or below each text.
func TestCommonSource(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		below, exact, some := commonSource(source)
		got := fmt.Sprintf("%x", below)
		if !some {
			got = ""
		}
		if got != want || exact != (want == source && some) {
			t.Errorf("%q: %q, %t, want %q", source, got, exact, want)
		}
	}
	ff := strings.Repeat("f", 32)
	f("", "")
	f("00", "")
	f("/", "")
	f("01", "00"+ff[2:])
	f("1", "0"+ff[1:])
	f("g", ff)
	f("9A", "99"+ff[2:])
	f("9/", "8"+ff[1:])
	f("a0 ", "9"+ff[1:])
	f(ff, ff)
	f(ff+"0", ff)
}
