package heatmap

import (
	"strings"
	"testing"
)

func TestParseSampled(t *testing.T) {
	f := func(tag string, want uint32) {
		t.Helper()
		got, ok := ParseSampled(tag)
		if got != want || ok != (want > 0) {
			t.Errorf("%q is a share of %d, %t, want %d", tag, got, ok, want)
		}
	}
	f("sampled:0.25", 250_000)
	f("sampled:0.250", 250_000)
	f("sampled:0.000001", 1)
	f("sampled:0.999999", 999_999)
	f("sampled:0.5", 500_000)
	f("sampled:0.0000001", 1)
	f("sampled:0.00000000000000000000001", 1)
	f("sampled:0.3333333333333333", 333_333)
	f("sampled:0.6666666666666666", 666_667)
	f("sampled:0.9999999", 999_999)
	for _, ordinary := range []string{
		"", "sampled", "sampled:", "sampled:0", "sampled:0.", "sampled:0.0", "sampled:0.000000", "sampled:0.00000000", "sampled:0.1234567x", "sampled:1e-7", "sampled:1", "sampled:1.0", "sampled:.5",
		"sampled:00.5", "sampled:0,5", "sampled:0.5 ", " sampled:0.5", "sampled:0.5e1", "sampled:0.-1", "sampled:-0.5", "sampled:+0.5",
		"sampled:0.5%", "Sampled:0.5", "sampled:a", "sampled:0.1/0.2", "sampled:0.１",
	} {
		f(ordinary, 0)
	}
}

// TestHitSampled: the least share counts, whatever tags are beside.
func TestHitSampled(t *testing.T) {
	f := func(want uint32, tags ...string) {
		t.Helper()
		h := Hit{Tags: tags}
		if got := h.Sampled(); got != want {
			t.Errorf("tags %q are a share of %d, want %d", tags, got, want)
		}
	}
	f(0)
	f(0, "variant:b", "sampled:often")
	f(100_000, "variant:b", "sampled:0.5", "sampled:0.1", "sampled:0.2")
}

// goldenSamples are deltas with sampled hits: of people, of bots, and of both beside what is coarse.
func goldenSamples(coarse *Delta) map[string]*Delta {
	people, bots := new(Delta), new(Delta)
	people.AddView(NewLayerID(KindView, 40, Desktop, false))
	people.AddSampled(false, 250_000)
	people.AddSampled(false, 0)
	bots.AddView(NewLayerID(KindView, 40, Desktop, true))
	bots.AddSampled(true, 1)
	both := coarse.Clone()
	for i := range uint32(300) {
		both.AddSampled(i%3 == 0, 999_999-i)
	}
	return map[string]*Delta{"sampled": people, "sampled-bots": bots, "sampled-coarse": both}
}

// TestSampledBlobs holds what blobs without sampled hits need not know: their share is the least, people's and bots' are told
// apart, and the directory alone tells them.
func TestSampledBlobs(t *testing.T) {
	f := func(name string, people, all Sampled) {
		t.Helper()
		d := goldenDeltas()[name]
		back, counted := new(Delta), new(Delta)
		blob := d.Append(nil)
		if err := back.MergeBlob(blob); err != nil {
			t.Fatal(err)
		}
		if _, err := counted.CountBlob(blob, func(LayerID, uint64) {}); err != nil {
			t.Fatal(err)
		}
		listed, err := BlobLayers(blob, func(LayerID, uint64) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Delta{d, back, counted, d.Clone()} {
			same(t, name, people, x.Sampled(false))
			same(t, name+" with bots", all, x.Sampled(true))
		}
		same(t, name+" by the directory", all, listed.Of(true))
		twice := back.Clone()
		twice.Merge(d)
		same(t, name+" twice", Sampled{2 * people.Hits, people.Share}, twice.Sampled(false))
		same(t, name+" is unchanged", people, back.Sampled(false))
	}
	f("sampled", Sampled{1, 250_000}, Sampled{1, 250_000})
	f("sampled-bots", Sampled{}, Sampled{1, 1})
	f("sampled-coarse", Sampled{200, 999_700}, Sampled{300, 999_700})

	var plain Delta
	plain.AddView(NewLayerID(KindView, 40, Desktop, false))
	before := plain.Append(nil)
	plain.AddSampled(false, 0)
	plain.Merge(new(Delta))
	same(t, "blob without sampled hits", before, plain.Append(nil))
}

func TestMalformedSamples(t *testing.T) {
	f := func(want string, p ...byte) {
		t.Helper()
		err := new(Delta).MergeBlob(appendCheck(p, 0))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: error is %v, want %q", p, err, want)
		}
	}
	f("where there are none", 0x30, 0, 0, 0)
	f("blob ends early", 0x30, 0, 0)
	f("blob ends early", 0x30, 0, 1)
	f("3 hits are from 0 millionths", 0x30, 0, 3, 0, 0)
	f("from 1000000 millionths", 0x30, 0, 0, 3, 0xc0, 0x84, 0x3d)
	f("1099511627777 hits are from 1 millionths", 0x30, 0, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x20, 1)
	f("longer than it needs", 0x30, 0, 0, 3, 0x81, 0)
	f("1 bytes after the last layer", 0x30, 0, 0, 3, 1, 0)
	f("first byte is 0x70", 0x70, 0)
}
