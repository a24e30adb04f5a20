package collector

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

func benchmarkLines(b *testing.B, line func(int) string) {
	const n = 2000
	lines := bytes.Split(bytes.TrimSpace(linesOf(n, line)), []byte{'\n'})
	p := newParser(testSites(b))
	p.setNow(testNow)
	var h heatmap.Hit
	b.SetBytes(int64(len(lines[n/2]) + 1))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if !p.parseLine(lines[i%n], &h) {
			b.Fatal(p.fault.message())
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkParseLine(b *testing.B) {
	b.Run("click", func(b *testing.B) { benchmarkLines(b, clickLine) })
	b.Run("move", func(b *testing.B) { benchmarkLines(b, moveLine) })
	b.Run("strangers", func(b *testing.B) { // no line shares a string with the one before
		benchmarkLines(b, func(i int) string {
			return strings.NewReplacer("a1b2", fmt.Sprint("view", i), "v-77", fmt.Sprint("v", i%97), "/p/", fmt.Sprintf("/p%d/", i),
				"a.buy", fmt.Sprintf("a:nth-child(%d)", i%31), "128.0", fmt.Sprintf("%d.0", i%40)).Replace(clickLine(i))
		})
	})
}

func BenchmarkParseBatch(b *testing.B) {
	body := batchOf(20)
	p := batchParser{parser: newParser(testSites(b))}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if !p.parse(body, testNow.UnixMilli()) {
			b.Fatal(p.faultPlace())
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "hits/s")
}

// batchOf gives a tracker's batch of n clicks.
func batchOf(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"site":"shop","url":"https://shop.example/p/1","view":"a1b2","b":"a1b2-7","tags":["variant:b"],"hits":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"age":%d,"kind":"click","x":%d,"y":1480,"vw":1280,"vh":720,"dw":1265,"dh":5400,"sel":"main>a.buy","ax":0.25,"ay":0.5}`, 1200-i, 512+i)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// nullJournal takes everything.
type nullJournal struct{}

func (nullJournal) Put([]heatmap.Batch) (wait func() error, err error) { return durable, nil }

func durable() error { return nil }

func BenchmarkImport(b *testing.B) {
	const n = 100_000
	for _, shape := range []struct {
		name string
		line func(int) string
	}{{"click", clickLine}, {"move", moveLine}} {
		body := linesOf(n, shape.line)
		for _, encoding := range []string{"", "gzip", "zstd"} {
			b.Run(shape.name+"/"+encoding, func(b *testing.B) { benchmarkImport(b, body, n, encoding) })
		}
	}
}

// benchmarkImport calls the handler as the server does, without a connection between.
func benchmarkImport(b *testing.B, body []byte, lines int, encoding string) {
	c := New(Options{Journal: nullJournal{}, Sites: testSites(b)})
	packed := pack(b, body, encoding)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		ctx := &fasthttp.RequestCtx{}
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.Header.SetContentEncoding(encoding)
		ctx.Request.SetBodyStream(struct{ io.Reader }{bytes.NewReader(packed)}, len(packed))
		c.Import(ctx)
		if ctx.Response.StatusCode() != 200 {
			b.Fatalf("%s", ctx.Response.Body())
		}
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkScrub(b *testing.B) {
	for _, url := range []string{
		"https://shop.example/p/1?utm_source=x&color=red",
		"https://user:secret@shop.example/p/1?email=jan%40shop.example#/x?a=4111111111111111",
	} {
		b.Run(fmt.Sprint(len(url)), func(b *testing.B) {
			b.SetBytes(int64(len(url)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Scrub(url); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendLine(b *testing.B) {
	p := newParser(testSites(b))
	p.setNow(testNow)
	var h heatmap.Hit
	if !p.parseLine([]byte(clickLine(1)), &h) {
		b.Fatal(p.fault.message())
	}
	buf := AppendLine(nil, &h)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendLine(buf[:0], &h)
	}
}
