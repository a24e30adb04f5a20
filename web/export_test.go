package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"heatlog/heatmap"
)

// exportOf gives n hits with the IDs 0, 1, … and then err.
func exportOf(n int, err error) ExportFunc {
	return func(ctx context.Context, _ heatmap.Query, _ map[string]uint64, fn func(*heatmap.Hit) error) error {
		for i := range n {
			if err := fn(&heatmap.Hit{ID: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return err
	}
}

func exportOptions(f ExportFunc) Options {
	return Options{Export: f, AppendLine: func(dst []byte, h *heatmap.Hit) []byte {
		return append(append(append(dst, `{"id":"`...), h.ID...), `"}`...)
	}}
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\":\"%d\"}\n", i)
	}
	return b.String()
}

func TestExport(t *testing.T) {
	for _, n := range []int{0, 1, 100, 50_000} {
		h := start(t, exportOptions(exportOf(n, nil)))
		a := h.get("/v1/export?site=shop")
		if a.StatusCode != 200 || a.body != lines(n) || a.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%d hits: status %d, type %q, %d bytes, want %d", n, a.StatusCode, a.Header.Get("Content-Type"), len(a.body), len(lines(n)))
		}
		a = h.get("/v1/export?site=shop", "Accept-Encoding", "gzip")
		z, err := gzip.NewReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || string(b) != lines(n) || a.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%d hits packed: %d bytes, %v", n, len(b), err)
		}
	}
}

func TestExportQuery(t *testing.T) {
	type asked struct {
		Query     heatmap.Query
		Positions map[string]uint64
	}
	var got asked
	h := start(t, exportOptions(func(_ context.Context, q heatmap.Query, positions map[string]uint64, _ func(*heatmap.Hit) error) error {
		got = asked{q, positions}
		return nil
	}))
	h.get("/v1/export?site=shop&from=2026-01-01&to=2026-01-02T00:00:00Z&positions=ja:5,jb:0")
	want := asked{heatmap.Query{Site: "shop"}, map[string]uint64{"ja": 5, "jb": 0}}
	want.Query.From = heatmap.Bound{Set: true, IsDate: true, Date: day("2026-01-01")}
	want.Query.To = heatmap.Bound{Set: true, Instant: 1_767_312_000_000}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestExportFailsAtOnce(t *testing.T) {
	var log logBuffer
	o := exportOptions(exportOf(10, &heatmap.ParamError{Field: "positions", Message: "source ja is unknown"}))
	o.Logger = log.logger()
	h := start(t, o)
	h.refused(h.get("/v1/export?site=shop"), 400, "bad_param", "positions", "ja is unknown")

	o = exportOptions(exportOf(0, errors.New("segment is torn")))
	o.Logger = log.logger()
	h = start(t, o)
	h.refused(h.get("/v1/export?site=shop"), 500, "internal", "")
	if strings.Count(log.String(), "segment is torn") != 1 {
		t.Errorf("log is %q", log.String())
	}
}

func TestExportBreaksOff(t *testing.T) {
	panics := func(_ context.Context, _ heatmap.Query, _ map[string]uint64, fn func(*heatmap.Hit) error) error {
		for i := range 50_000 {
			if err := fn(&heatmap.Hit{ID: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		panic("segment is torn")
	}
	for name, f := range map[string]ExportFunc{"error": exportOf(50_000, errors.New("segment is torn")), "panic": panics} {
		for _, accept := range []string{"", "gzip"} {
			var log logBuffer
			o := exportOptions(f)
			o.Logger = log.logger()
			body, err := readBroken(t, start(t, o), accept)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, %q: a broken export ends with %v after %d bytes", name, accept, err, len(body))
			}
			if accept == "" && (len(body) == 0 || !strings.HasPrefix(lines(50_000), body)) {
				t.Errorf("%s: %d bytes came before the break", name, len(body))
			}
			if !strings.Contains(log.String(), "segment is torn") || !strings.Contains(log.String(), "site=shop") {
				t.Errorf("%s: log is %q", name, log.String())
			}
		}
	}
}

func (h *harness) exportRequest(accept string) *http.Request {
	req := h.request("GET", "/v1/export?site=shop")
	if accept != "" {
		req.Header.Set("Accept-Encoding", accept)
	}
	return req
}

func readBroken(t *testing.T, h *harness, accept string) (string, error) {
	t.Helper()
	resp, err := h.client.Do(h.exportRequest(accept))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// TestExportFlushes reads the first line before the journal gives a second one.
func TestExportFlushes(t *testing.T) {
	const first = "{\"id\":\"first\"}\n"
	for _, accept := range []string{"", "gzip"} {
		read := make(chan bool)
		o := exportOptions(func(_ context.Context, _ heatmap.Query, _ map[string]uint64, fn func(*heatmap.Hit) error) error {
			if err := fn(&heatmap.Hit{ID: "first"}); err != nil {
				return err
			}
			<-read
			return fn(&heatmap.Hit{ID: "second"})
		})
		o.Now = secondsClock()
		h := start(t, o)
		resp, err := h.client.Do(h.exportRequest(accept))
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(resp.Body)
		if accept == "gzip" {
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, len(first))
		if _, err := io.ReadFull(body, b); err != nil || string(b) != first {
			t.Errorf("first line is %q, %v", b, err)
		}
		close(read)
		if rest, err := io.ReadAll(body); err != nil || string(rest) != "{\"id\":\"second\"}\n" {
			t.Errorf("the rest is %q, %v", rest, err)
		}
		resp.Body.Close()
	}
}

// secondsClock moves on by a second each time that it is read, so that every line is late.
func secondsClock() func() time.Time {
	var reads atomic.Int64
	return func() time.Time { return time.Unix(reads.Add(1), 0) }
}

// TestExportClientGone checks that an export whose client goes away ends.
func TestExportClientGone(t *testing.T) {
	ended := make(chan error, 1)
	o := exportOptions(func(_ context.Context, _ heatmap.Query, _ map[string]uint64, fn func(*heatmap.Hit) error) (err error) {
		for err == nil { // until no buffer on the way has room
			err = fn(&heatmap.Hit{ID: strings.Repeat("x", 1000)})
		}
		ended <- err
		return err
	})
	var log logBuffer
	o.Logger = log.logger()
	h := start(t, o)
	resp, err := h.client.Do(h.exportRequest(""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-ended; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the export ends with %v", err)
	}
	h.server.exports.Wait()
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("a client that went away is logged: %s", log.String())
	}
}
