package heatmap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew, to be read before they are kept")

// goldenDeltas are deltas with everything that the format knows.
func goldenDeltas() map[string]*Delta {
	click, scroll := NewLayerID(KindClick, 40, Desktop, false), NewLayerID(KindScroll, 40, Desktop, false)
	one := new(Delta)
	one.AddPoint(click, 512, 1480)
	one.AddVisitor(false, mix(77))

	view := new(Delta)
	view.AddView(NewLayerID(KindView, 40, Desktop, false))
	view.AddScroll(scroll, 720, 0, 0, 720, 1800)
	view.AddScroll(scroll, 2200, 720, 1480, 720, 4000)
	view.AddPoint(click, 512, 1480)
	view.AddPoint(click, 514, 1481)
	view.AddVisitor(false, mix(77))
	view.AddVisitor(true, mix(78))

	r := rand.New(rand.NewPCG(5, 6))
	many := applyAll(new(Delta), randomOps(r, shape{1200, 10, 30, 1300, 6000}))
	for i := range uint64(900) {
		many.AddVisitor(false, mix(i))
	}
	coarse := applyAll(newDelta(limits{30, 60, 200, 1 << 12, 1 << 17}), randomOps(r, shape{400, 12, 3, 1300, 6000}))
	coarse.count(false)
	coarse.limits = nil
	goldens := map[string]*Delta{"empty": new(Delta), "click": one, "view": view, "many": many, "coarse": coarse}
	maps.Copy(goldens, goldenElements())
	maps.Copy(goldens, goldenSamples(coarse))
	return goldens
}

// TestGolden holds the encoding of version 1: a blob that was stored must be read for ever.
func TestGolden(t *testing.T) {
	for name, d := range goldenDeltas() {
		path := filepath.Join("testdata", "blob-1-"+name+".hex")
		blob := d.Append(nil)
		if *rewrite {
			if err := os.WriteFile(path, []byte(hexLines(blob)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(blob, want) {
			t.Errorf("%s is encoded as\n%x, want\n%x", name, blob, want)
		}
		var back Delta
		if err := back.MergeBlob(want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(back.Append(nil), want) {
			t.Errorf("%s: decoded delta encodes to another blob", name)
		}
	}
}

func hexLines(p []byte) string {
	var b strings.Builder
	for line := range slices.Chunk(p, 32) {
		b.WriteString(hex.EncodeToString(line) + "\n")
	}
	return b.String()
}

// TestBlobBytes holds an encoding byte by byte.
func TestBlobBytes(t *testing.T) {
	var d Delta
	d.AddPoint(NewLayerID(KindClick, 40, Desktop, false), 512, 1480)
	d.AddVisitor(false, 0x0102030405060708)
	want := []byte{
		0x11,             // version 1, people
		1,                // layers
		0x80, 0x8a, 0x10, // 2 * 0x20280
		1, // hit
		3, // bytes of the body
		1, // visitor
		8, 7, 6, 5, 4, 3, 2, 1,
		0x80, 0xca, 0x0b, // 4 * (185 << 8 | 64), one hit
	}
	got := d.Append([]byte("before"))
	same(t, "blob", append([]byte("before"), append(want, crc8(want))...), got)
	if len(got)-len("before") != 20 {
		t.Errorf("a click is %d bytes", len(got)-len("before"))
	}
}

func TestChecks(t *testing.T) {
	if got, want := crc8([]byte("123456789")), slowCRC8([]byte("123456789")); got != want {
		t.Errorf("crc8 = %#x, want %#x", got, want)
	}
	for _, n := range []int{10, smallBlob - 2, smallBlob - 1, smallBlob, smallBlob + 1, 5000} {
		blob := appendCheck(make([]byte, n), 0)
		if p, err := checked(blob); err != nil || len(p) != n {
			t.Errorf("checked of %d bytes gives %d, %v", n, len(p), err)
		}
	}
	for n := smallBlob + 1; n < smallBlob+4; n++ {
		if _, err := checked(make([]byte, n)); err == nil {
			t.Errorf("blob of %d bytes passes", n)
		}
	}
}

// slowCRC8 divides bit by bit.
func slowCRC8(p []byte) byte {
	c := 0xff
	for _, b := range p {
		for bit := 7; bit >= 0; bit-- {
			c = c<<1 ^ int(b>>bit&1)<<8
			if c&0x100 != 0 {
				c ^= 0x107
			}
		}
	}
	return byte(c)
}

// damagedBlobs are small enough to break in every way.
func damagedBlobs() map[string][]byte {
	blobs := map[string][]byte{}
	for name, d := range goldenDeltas() {
		blobs[name] = d.Append(nil)
	}
	return blobs
}

// mustFail decodes what is no blob and checks the error.
func mustFail(t *testing.T, what string, blob []byte) {
	t.Helper()
	var d Delta
	err := d.MergeBlob(blob)
	var damage *BlobError
	if !errors.As(err, &damage) {
		t.Fatalf("%s: error is %v, want a *BlobError", what, err)
	}
	if damage.Offset < 0 || damage.Offset > len(blob) || damage.Unwrap() == nil || !strings.Contains(err.Error(), "at byte ") {
		t.Fatalf("%s: error %q at %d of %d bytes", what, err, damage.Offset, len(blob))
	}
}

func TestCutBlob(t *testing.T) {
	for name, blob := range damagedBlobs() {
		for n := range blob {
			mustFail(t, name+" cut", blob[:n])
			if body, _ := checked(blob); n < len(body) && n > 1 {
				mustFail(t, name+" cut and checked again", appendCheck(slices.Clone(body[:n]), 0))
			}
		}
		mustFail(t, name+" with one more byte", append(slices.Clone(blob), 0))
		body, _ := checked(blob)
		mustFail(t, name+" with one more checked byte", appendCheck(append(slices.Clone(body), 0), 0))
	}
}

// TestFlipBlob damages each byte. The check finds all of that; without it a decoder must still take only what it would
// write itself.
func TestFlipBlob(t *testing.T) {
	taken := 0
	for name, blob := range damagedBlobs() {
		body, _ := checked(blob)
		for i := range blob {
			for bit := range 8 {
				if len(blob) > smallBlob && bit != i%8 {
					continue
				}
				bad := slices.Clone(blob)
				bad[i] ^= 1 << bit
				mustFail(t, name+" flipped", bad)
				if i >= len(body) {
					continue
				}
				if decodesToItself(t, appendCheck(slices.Clone(bad[:len(body)]), 0)) {
					taken++
				}
			}
			for _, x := range []byte{0xff, 0x55, blob[i], 0x80} {
				bad := slices.Clone(blob)
				if bad[i] ^= x; x != 0 {
					mustFail(t, name+" changed", bad)
				}
			}
		}
	}
	if taken == 0 {
		t.Error("no flipped blob was taken: the test shows nothing")
	}
}

// decodesToItself reports whether a blob is taken, and fails if it is not the one that its content encodes to.
func decodesToItself(t *testing.T, blob []byte) bool {
	t.Helper()
	var d Delta
	err := d.MergeBlob(blob)
	layers := 0
	_, listErr := BlobLayers(blob, func(LayerID, uint64) { layers++ })
	if err != nil {
		return false
	}
	if listErr != nil || layers != len(d.layers) {
		t.Fatalf("directory of %x gives %d layers, %v, want %d", blob, layers, listErr, len(d.layers))
	}
	if got := d.Append(nil); !bytes.Equal(got, blob) {
		t.Fatalf("blob is not canonical:\n%x is taken and gives\n%x", blob, got)
	}
	return true
}

// TestMalformed names the ways in which a blob with a right check is refused.
func TestMalformed(t *testing.T) {
	f := func(want string, p ...byte) {
		t.Helper()
		var d Delta
		err := d.MergeBlob(appendCheck(p, 0))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: error is %v, want %q", p, err, want)
		}
	}
	f("first byte is 0x81", 0x81, 0)
	f("first byte is 0x28", 0x28, 0)
	f("elements are given", 0x18, 0)
	f("3 layers in 3 bytes", 0x10, 3, 0x80, 0x88, 0x08)
	f("longer than it needs", 0x10, 0x80, 0)
	f("over 64 bits", 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2)
	f("not in its shortest form", 0x10, 1, 3, 1)
	f("does not exist", 0x10, 1, 0x80, 0x80, 0x40, 1)
	f("0 hits", 0x10, 1, 0x80, 0x80, 0x08, 0)
	f("1 bytes after the last layer", 0x10, 1, 0x80, 0x80, 0x08, 1, 0)
	f("not in its shortest form", 0x10, 2, 0x80, 0x80, 0x08, 1, 0x80, 0x80, 0x08, 1, 1, 0)
	f("does not exist", 0x10, 2, 0x80, 0x80, 0x08, 1, 0, 1)
	f("body of layer 0x20000 is 0 bytes", 0x10, 1, 0x80, 0x80, 0x10, 1, 0)
	f("1 hits in 1 cells, want 2", 0x10, 1, 0x80, 0x80, 0x10, 2, 1, 0)
	f("2 hits in 1 cells, want 1", 0x10, 1, 0x80, 0x80, 0x10, 1, 1, 1)
	f("is over 67108863", 0x10, 1, 0x80, 0x80, 0x10, 1, 5, 0xfc, 0xff, 0xff, 0xff, 1)
	f("is over 67108863", 0x10, 1, 0x80, 0x80, 0x10, 6, 9, 0xfc, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0)
	f("coarsening is 14 and 0", 0x14, 0, 14, 0)
	f("coarsening is given", 0x14, 0, 0, 0)
	f("coarsening is given", 0x14, 0, 1, 0)
	f("coarsening is given", 0x14, 0, 0, 1)
	f("coarsening is given", 0x14, 1, 1, 1, 0x80, 0x80, 0x18, 1, 1, 0)
	f("is at level 1, want 2", 0x14, 1, 2, 0, 0x80, 0x80, 0x10, 1, 1, 1, 0)
	f("after step 1", 0x14, 1, 0, 1, 0xa0, 0x80, 0x18, 1, 1, 0)
	f("385 visitors", 0x11, 0, 0x81, 3)
	f("blob ends early", 0x11, 0, 1, 1)
	f("want ascending", 0x11, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	f("want ascending", 0x11, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
	f("all registers are 0", append([]byte{0x11, 0, 0}, make([]byte, packedRegisters)...)...)
	f("register is over 53", append([]byte{0x11, 0, 0, 54}, make([]byte, packedRegisters-1)...)...)
	f("scroll layer begins with 0x04", 0x10, 1, 0x80, 0x80, 0x18, 1, 1, 4)
	f("array holds a zero", 0x10, 1, 0x80, 0x80, 0x18, 1, 2, 1, 1)
	f("array holds a zero", 0x10, 1, 0x80, 0x80, 0x18, 1, 4, 1, 0, 0, 1)
	f("leaves the range", 0x10, 1, 0x80, 0x80, 0x18, 1, 4, 1, 0, 4, 1)
	f("leaves the range", 0x10, 1, 0x80, 0x80, 0x18, 1, 4, 1, 0, 1, 1)
	f("index is over its limit", 0x10, 1, 0x80, 0x80, 0x18, 1, 5, 1, 0, 2, 0x81, 0x20)
	f("begin a view", 0x10, 1, 0x80, 0x80, 0x18, 1, 2, 0, 1)
	f("is over 65535", 0x10, 1, 0x80, 0x80, 0x18, 1, 4, 0, 0x80, 0x80, 0x10)
}

func TestMaxHits(t *testing.T) {
	id := NewLayerID(KindView, 1, Desktop, false)
	full := &Delta{layers: []layer{{id: id, hits: maxHits}}}
	var d Delta
	if err := d.MergeBlob(full.Append(nil)); err != nil {
		t.Fatal(err)
	}
	d.AddView(id)
	if err := new(Delta).MergeBlob(d.Append(nil)); err == nil {
		t.Error("blob of too many hits is taken")
	}
	if err := d.MergeBlob(full.Append(nil)); err == nil {
		t.Error("blob is taken that brings too many hits")
	}
	full.AddView(id + 1)
	if err := new(Delta).MergeBlob(full.Append(nil)); err == nil {
		t.Error("blob is taken whose layers have too many hits together")
	}
}

func TestOverLimitBlob(t *testing.T) {
	ops := randomOps(rand.New(rand.NewPCG(8, 8)), shape{500, 5, 0, 1300, 3000})
	blob := applyAll(new(Delta), ops).Append(nil)
	for _, l := range []limits{{20, 1 << 20, 1 << 18, 1 << 12, 1 << 17}, {1 << 18, 100, 1 << 18, 1 << 12, 1 << 17}, {1 << 18, 1 << 20, 30, 1 << 12, 1 << 17}} {
		if err := newDelta(l).MergeBlob(blob); err == nil {
			t.Errorf("blob is taken that does not keep limits %v", l)
		}
	}
}

func TestBlobLayers(t *testing.T) {
	d := goldenDeltas()["many"]
	type row struct {
		ID   LayerID
		Hits uint64
	}
	var want, got []row
	d.Layers(func(id LayerID, hits uint64) { want = append(want, row{id, hits}) })
	if _, err := BlobLayers(d.Append(nil), func(id LayerID, hits uint64) { got = append(got, row{id, hits}) }); err != nil {
		t.Fatal(err)
	}
	same(t, "layers", want, got)
	if _, err := BlobLayers(nil, func(LayerID, uint64) {}); err == nil {
		t.Error("nothing is taken for a blob")
	}
}

// TestMalformedMemory holds that no blob makes the decoder take far more memory than the blob has.
// TestCountBlob counts blobs into one delta, which then has the visitors of a delta that merged all of them.
func TestCountBlob(t *testing.T) {
	var counted, merged Delta
	for name, d := range goldenDeltas() {
		blob := d.Append(nil)
		got := make(map[LayerID]uint64)
		width, err := counted.CountBlob(blob, func(id LayerID, hits uint64) { got[id] = hits })
		if err != nil || width != d.ScrollWidth() {
			t.Fatalf("%s: width %d, want %d, %v", name, width, d.ScrollWidth(), err)
		}
		want := make(map[LayerID]uint64)
		d.Layers(func(id LayerID, hits uint64) { want[id] = hits })
		same(t, name, want, got)
		merged.MergePageScope(d)
	}
	for _, bots := range []bool{false, true} {
		same(t, "visitors", merged.Visitors(bots), counted.Visitors(bots))
	}
	same(t, "encoding", merged.Append(nil), counted.Append(nil))
	before := counted.Append(nil)
	for name, blob := range damagedBlobs() {
		for cut := range blob {
			if _, err := counted.CountBlob(blob[:cut], func(LayerID, uint64) { t.Error("a layer is counted") }); err == nil {
				t.Errorf("%s: no error at %d bytes of %d", name, cut, len(blob))
			}
		}
	}
	same(t, "after damage", before, counted.Append(nil))
}

func TestMalformedMemory(t *testing.T) {
	f := func(name string, p []byte) {
		t.Helper()
		blob := appendCheck(p, 0)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var d Delta
		_ = d.MergeBlob(blob)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > uint64(100*len(blob)+16<<10) {
			t.Errorf("%s: %d bytes of memory for a blob of %d", name, got, len(blob))
		}
	}
	f("many layers", append([]byte{0x10, 0xf4, 3}, bytes.Repeat([]byte{0x80, 0x80, 0x08, 1}, 250)...))
	f("many cells", append([]byte{0x10, 1, 0x80, 0x80, 0x10, 0xe8, 7, 0xe8, 7}, bytes.Repeat([]byte{0xfc}, 1000)...))
	far := new(Delta)
	for i := range uint16(400) {
		far.AddPoint(NewLayerID(KindMove, 0, Desktop, false), 160*i, 160*(400-i))
		far.AddScroll(NewLayerID(KindScroll, WidthBand(i), Desktop, false), 65535, 65400, 65535, 65535, 1)
	}
	body, _ := checked(far.Append(nil))
	f("far cells", body)
}

func FuzzMergeBlob(f *testing.F) {
	for _, blob := range damagedBlobs() {
		f.Add(blob)
		body, _ := checked(blob)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		decodesToItself(t, p)
		blob := appendCheck(slices.Clone(p), 0)
		if !decodesToItself(t, blob) {
			return
		}
		// What is taken can be merged, whole and layer by layer, and stored again.
		var twice, other Delta
		for range 2 {
			if err := twice.MergeBlob(blob); err != nil {
				return // more hits together than a blob may have
			}
		}
		var d Delta
		if err := d.MergeBlob(blob); err != nil {
			t.Fatal(err)
		}
		other.Merge(&d)
		other.Merge(&d)
		if !bytes.Equal(other.Append(nil), twice.Append(nil)) {
			t.Fatal("merging the blob and merging the delta differ")
		}
		d.Layers(func(id LayerID, _ uint64) {
			d.Points(id, 8)
			d.Reach(id)
			d.Fold(id)
			d.Rest(id, 8)
			d.Elements(id, func(e ElementID, cells []InnerCount) {
				if _, known := d.elements.find(e); !known || len(cells) == 0 || !cells[0].Cell.Valid() {
					t.Fatalf("element %x has cells %v", e, cells)
				}
			})
		})
		err := BlobNames(blob, func(id ElementID, name ElementName) {
			if own, ok := other.ElementName(id); !ok || own != name {
				t.Fatalf("element %x is %v, want %v", id, name, own)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Visitors(true)
	})
}
