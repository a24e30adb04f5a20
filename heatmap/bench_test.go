package heatmap

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"unsafe"
)

var benchLayer = NewLayerID(KindClick, 40, Desktop, false)

// hotPage makes clicks as they fall on a busy page of 1,280 x 6,000 px: four in five near one of 40 spots.
type hotPage struct {
	r     *rand.Rand
	spots [40][3]float64
}

func newHotPage(seed uint64) *hotPage {
	p := &hotPage{r: rand.New(rand.NewPCG(7, 7))}
	for i := range p.spots {
		p.spots[i] = [3]float64{p.r.Float64() * 1280, p.r.Float64() * 6000, 10 + p.r.Float64()*80}
	}
	p.r = rand.New(rand.NewPCG(seed, 1))
	return p
}

func (p *hotPage) point() (x, y uint16) {
	clamp := func(v, limit float64) uint16 { return uint16(min(max(v, 0), limit)) }
	if p.r.IntN(5) == 0 {
		return uint16(p.r.IntN(1280)), uint16(p.r.IntN(6000))
	}
	s := &p.spots[min(p.r.IntN(40), p.r.IntN(40))]
	return clamp(s[0]+p.r.NormFloat64()*s[2], 1279), clamp(s[1]+p.r.NormFloat64()*s[2]/2, 5999)
}

// hotDay is a day of the page with about so many distinct cells.
func hotDay(seed uint64, cells int) *Delta {
	p, d := newHotPage(seed), new(Delta)
	for ; d.cells < cells; d.count(false) {
		x, y := p.point()
		d.AddPoint(benchLayer, x, y)
	}
	return d
}

func hotBlobs(n, cells int) (blobs [][]byte, size int64) {
	for i := range n {
		blobs = append(blobs, hotDay(uint64(i), cells).Append(nil))
		size += int64(len(blobs[i]))
	}
	return blobs, size
}

func BenchmarkAdd(b *testing.B) {
	p := newHotPage(1)
	points := make([][2]uint16, 1<<16)
	for i := range points {
		points[i][0], points[i][1] = p.point()
	}
	b.Run("hot", func(b *testing.B) {
		b.ReportAllocs()
		d := new(Delta)
		for i := range b.N {
			d.AddPoint(benchLayer, points[i%len(points)][0], points[i%len(points)][1])
		}
	})
	b.Run("tiny", func(b *testing.B) { // two hits, a visitor
		b.ReportAllocs()
		for i := range b.N {
			d := new(Delta)
			d.AddView(NewLayerID(KindView, 40, Desktop, false))
			d.AddPoint(benchLayer, points[i%len(points)][0], points[i%len(points)][1])
			d.AddVisitor(false, mix(uint64(i)))
		}
	})
	b.Run("scroll", func(b *testing.B) {
		b.ReportAllocs()
		d := new(Delta)
		for i := range b.N {
			y := points[i%len(points)][1]
			d.AddScroll(NewLayerID(KindScroll, 40, Desktop, false), y+720, y, y, 720, 1500)
		}
	})
	b.Run("visitor", func(b *testing.B) {
		b.ReportAllocs()
		d := new(Delta)
		for i := range b.N {
			d.AddVisitor(false, mix(uint64(i%300)))
		}
	})
}

// BenchmarkReduce is what a query over 90 days does: it decodes their blobs and adds them up. Bytes are those of the blobs.
func BenchmarkReduce(b *testing.B) {
	f := func(name string, cells int) {
		blobs, size := hotBlobs(90, cells)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			for range b.N {
				var d Delta
				for _, blob := range blobs {
					if err := d.MergeBlob(blob); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	f("90x5000", 5000)
	f("90x1500", 1500)
	f("90x100", 100)
	f("90x2", 2)
}

// BenchmarkMerge adds up deltas. Bytes are those of their blobs.
func BenchmarkMerge(b *testing.B) {
	days, size := make([]*Delta, 90), 0
	for i := range days {
		days[i] = hotDay(uint64(i), 5000)
		size += len(days[i].Append(nil))
	}
	b.Run("90x5000", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(size))
		for range b.N {
			var d Delta
			for _, o := range days {
				d.Merge(o)
			}
		}
	})
}

// BenchmarkEncode makes the blob of a delta.
func BenchmarkEncode(b *testing.B) {
	f := func(name string, d *Delta) {
		buf := d.Append(nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for range b.N {
				buf = d.Append(buf[:0])
			}
		})
	}
	f("2 cells", hotDay(1, 2))
	f("5000 cells", hotDay(1, 5000))
	f("80000 cells", hotDay(1, 80_000))
}

func BenchmarkBlobLayers(b *testing.B) {
	blob := hotDay(1, 2).Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(blob)))
	for range b.N {
		_, _ = BlobLayers(blob, func(LayerID, uint64) {})
	}
}

func BenchmarkPoints(b *testing.B) {
	d := hotDay(1, 80_000)
	for _, cell := range []int{8, 16} {
		b.Run(fmt.Sprint(cell), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(d.Points(benchLayer, cell))) * int64(unsafe.Sizeof(Point{})))
			for range b.N {
				d.Points(benchLayer, cell)
			}
		})
	}
}

// BenchmarkDrawPNG draws a busy page. Bytes are those of the picture before it is compressed, four a pixel.
func BenchmarkDrawPNG(b *testing.B) {
	points, o := hotDay(1, 9000).Points(benchLayer, 8), DrawOptions{Width: 1280, Height: 8000}
	b.ReportAllocs()
	b.SetBytes(int64(4 * o.Width * o.Height))
	for range b.N {
		if err := DrawPNG(io.Discard, points, 8, o); err != nil {
			b.Fatal(err)
		}
	}
}
