package collector

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

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
	for _, hits := range []int{1, 20, 500} {
		b.Run(fmt.Sprint(hits), func(b *testing.B) {
			bodies := sessionBodies(64, hits)
			size := 0
			for _, body := range bodies {
				size += len(body)
			}
			p := batchParser{parser: newParser(testSites(b))}
			b.SetBytes(int64(size / len(bodies)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if !p.parse(bodies[i%len(bodies)], testNow.UnixMilli()) {
					b.Fatal(p.faultPlace())
				}
				i++
			}
			b.ReportMetric(float64(hits*b.N)/b.Elapsed().Seconds(), "hits/s")
		})
	}
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

// sessionBodies gives n tracker's batches of so many hits, each of another view: clicks, most of them on one of eight elements,
// scrolls and moves as 6 to 3 to 1.
func sessionBodies(n, hits int) (bodies [][]byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for v := range n {
		var b bytes.Buffer
		vw, vh, dh, layout := 320+r.IntN(1600), 480+r.IntN(600), 1200+r.IntN(8000), r.Uint32()
		fmt.Fprintf(&b, `{"site":"shop","url":"https://shop.example/p/%d","view":"%012x","b":"%012x-%d","tags":["variant:%c"],"hits":[`,
			r.IntN(40), v, v, r.IntN(30), 'a'+r.IntN(2))
		page := fmt.Sprintf(`"vw":%d,"vh":%d,"dw":%d,"dh":%d`, vw, vh, vw-15, dh)
		for i := range hits {
			if i > 0 {
				b.WriteByte(',')
			}
			age, x, y := 100*(hits-i)+r.IntN(100), r.IntN(vw), r.IntN(dh)
			switch kind := r.IntN(10); {
			case kind < 3:
				fmt.Fprintf(&b, `{"age":%d,"kind":"scroll","depth":%d,"from":%d,"dwell":%d,"y":%d,%s,"layout":%d}`, age, y, y, r.IntN(30000), y, page, layout)
			case kind < 4:
				fmt.Fprintf(&b, `{"age":%d,"kind":"move","x":%d,"y":%d,%s,"layout":%d,"pointer":"mouse"}`, age, x, y, page, layout)
			case kind < 5:
				fmt.Fprintf(&b, `{"age":%d,"kind":"click","x":%d,"y":%d,%s,"layout":%d,"pointer":"mouse"}`, age, x, y, page, layout)
			default:
				e := r.IntN(8)
				fmt.Fprintf(&b, `{"age":%d,"kind":"click","x":%d,"y":%d,%s,"sel":"main>ul.list>li:nth-of-type(%d)>a","ax":0.%03d,"ay":0.%03d,"bw":%d,"bh":%d,"check":%d,"layout":%d,"pointer":"mouse"}`,
					age, x, y, page, e+1, r.IntN(1000), r.IntN(1000), 80+17*e, 20+7*e, 5003*e, layout)
			}
		}
		b.WriteString("]}")
		bodies = append(bodies, b.Bytes())
	}
	return bodies
}

// loopConn is a connection over which the same requests come again and again, n in all; answers go nowhere.
type loopConn struct {
	net.Conn
	requests [][]byte
	n, i     int
	rest     []byte
}

func (c *loopConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.i == c.n {
			return 0, io.EOF
		}
		c.rest = c.requests[c.i%len(c.requests)]
		c.i++
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *loopConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *loopConn) Close() error                     { return nil }
func (c *loopConn) SetDeadline(time.Time) error      { return nil }
func (c *loopConn) SetReadDeadline(time.Time) error  { return nil }
func (c *loopConn) SetWriteDeadline(time.Time) error { return nil }
func (c *loopConn) LocalAddr() net.Addr              { return loopback }
func (c *loopConn) RemoteAddr() net.Addr             { return loopback }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

// BenchmarkIn answers tracker's batches over one connection in memory, beside a bare handler that reads the body.
func BenchmarkIn(b *testing.B) {
	for _, hits := range []int{1, 20} {
		var requests [][]byte
		size := 0
		for _, body := range sessionBodies(64, hits) {
			head := fmt.Sprintf("POST /v1/in HTTP/1.1\r\nHost: heat.example\r\nOrigin: https://shop.example\r\n"+
				"Content-Type: text/plain;charset=UTF-8\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nContent-Length: %d\r\n\r\n", len(body))
			requests = append(requests, append([]byte(head), body...))
			size += len(body)
		}
		f := func(name string, handler fasthttp.RequestHandler) {
			b.Run(fmt.Sprint(name, "/", hits), func(b *testing.B) {
				server := &fasthttp.Server{Handler: handler, StreamRequestBody: true, NoDefaultServerHeader: true}
				b.SetBytes(int64(size / len(requests)))
				b.ReportAllocs()
				b.ResetTimer()
				if err := server.ServeConn(&loopConn{requests: requests, n: b.N}); err != nil {
					b.Fatal(err)
				}
			})
		}
		c := New(Options{Journal: nullJournal{}, Sites: testSites(b), Now: func() time.Time { return testNow }})
		f("collector", c.In)
		f("bare", func(ctx *fasthttp.RequestCtx) { ctx.Request.Body() })
		if s := c.Stats(); s.InAccepted != uint64(hits)*s.InRequests {
			b.Fatalf("%d requests of %d hits: %+v", s.InRequests, hits, s)
		}
	}
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
