package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
)

// importCmd sends files of hits to the server.
type importCmd struct {
	Files         []string `arg:"" name:"file" help:"Files of newline-delimited JSON, also .gz and .zst; - is standard input."`
	Batch         string   `help:"Send each file as one batch of at most 50,000 lines that is safe to send again." placeholder:"ID"`
	AllowRejected bool     `help:"Succeed even if lines were rejected."`
	Quiet         bool     `short:"q" help:"Show no progress."`
	serverFlags
}

// shownRejects is how many rejected lines of a file are printed.
const shownRejects = 10

// importAnswer is what the server says about one body.
type importAnswer struct {
	Accepted, Rejected int64
	Errors             []struct {
		Line    int64
		Message string
	}
}

// Run sends the files one after the other. It goes on after rejected lines and stops at the first file that could not
// be sent whole.
func (c *importCmd) Run(s *streams) error {
	if c.Batch != "" && len(c.Files) > 1 {
		return &misuse{fmt.Errorf("--batch names one file's hits, got %d files", len(c.Files))}
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	start := time.Now()
	var sum importAnswer
	for _, name := range c.Files {
		var a importAnswer
		if a, err = c.send(ctx, cl, s, name); err != nil {
			err = c.hintAfter(fmt.Errorf("import %s: %w", name, err), name, &a)
		}
		printRejects(s.err, name, &a)
		sum.Accepted += a.Accepted
		sum.Rejected += a.Rejected
		sum.Errors = append(sum.Errors, a.Errors...)
		if err != nil {
			break
		}
	}
	took := time.Since(start).Seconds()
	if err == nil || sum.Accepted+sum.Rejected > 0 {
		fmt.Fprintf(s.out, "%d accepted, %d rejected, %.1f s, %.0f/s\n", sum.Accepted, sum.Rejected, took,
			float64(sum.Accepted+sum.Rejected)/took)
	}
	if err == nil && sum.Rejected > 0 && !c.AllowRejected {
		return withHint(fmt.Errorf("%d of %d lines were rejected; all others are stored", sum.Rejected, sum.Accepted+sum.Rejected), "%s", sum.hint())
	}
	return err
}

// send streams one file as it is: the server unpacks it.
func (c *importCmd) send(ctx context.Context, cl *client, s *streams, name string) (importAnswer, error) {
	in, size, err := openInput(s, name)
	if err != nil {
		return importAnswer{}, err
	}
	defer in.Close()
	query := url.Values{}
	if c.Batch != "" {
		query.Set("batch", c.Batch)
	}
	body := io.Reader(in)
	if bar := c.progress(s, name, size); bar != nil {
		stop := bar.follow(ctx, cl)
		defer stop()
		body = io.TeeReader(in, bar)
	}
	resp, err := cl.do(ctx, http.MethodPost, "/v1/import", query, importHeader(name), sizedReader{body})
	if err != nil {
		return partialAnswer(err)
	}
	defer resp.Body.Close()
	var a importAnswer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return a, fmt.Errorf("read answer: %w", err)
	}
	return a, nil
}

// hintAfter says how to go on after a refusal.
func (c *importCmd) hintAfter(err error, name string, a *importAnswer) error {
	var e *apiError
	switch {
	case !errors.As(err, &e):
		return err
	case e.Status == http.StatusRequestEntityTooLarge && c.Batch != "":
		return withHint(err, "split the file and give each part a --batch of its own, or leave --batch out")
	case e.Status < 500:
		return err
	case c.Batch != "":
		return withHint(err, "send the whole file again with the same --batch when the server takes hits again: what is stored counts once")
	case len(a.Errors) == 0 || a.Errors[len(a.Errors)-1].Message != e.Message:
		return err // no lines were read
	}
	line := a.Errors[len(a.Errors)-1].Line
	return withHint(err, "the lines before are stored; go on with line %d when the server takes hits again: %s", line, fromLine(name, line))
}

// fromLine is a shell command that imports what a file has from a line on.
func fromLine(name string, line int64) string {
	tail := fmt.Sprintf("tail -n +%d", line)
	switch file := shellWord(name); {
	case name == "-":
		return "… | " + tail + " | heatlog import -"
	case strings.HasSuffix(name, ".gz"):
		return "gzip -dc " + file + " | " + tail + " | heatlog import -"
	case strings.HasSuffix(name, ".zst"):
		return "zstd -dc " + file + " | " + tail + " | heatlog import -"
	default:
		return tail + " " + file + " | heatlog import -"
	}
}

// hint is the next step after rejected lines.
func (a *importAnswer) hint() string {
	for _, e := range a.Errors {
		if e.Line == 1 && strings.HasPrefix(e.Message, "the body is ") {
			return "a packed file is named .gz or .zst; on standard input unpack it: gzip -dc FILE | heatlog import -"
		}
		if strings.HasPrefix(e.Message, "site is") {
			return "a site must be registered first: heatlog site add KEY --origin https://… --timezone …"
		}
	}
	return "--allow-rejected takes rejected lines for a success"
}

// openInput opens a file, or standard input for "-"; size is -1 where it is not known.
func openInput(s *streams, name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(s.in), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, rootPathError(err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a folder")
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, info.Size(), nil
}

// rootPathError leaves out the path, or both of a link or rename, which whoever reports the error names too.
func rootPathError(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		return l.Err
	}
	return err
}

// sizedReader hides the file's other methods, so that the body is read through the progress bar only.
type sizedReader struct{ io.Reader }

// importHeader says how the file's name says it is packed.
func importHeader(name string) http.Header {
	h := http.Header{"Content-Type": {"application/x-ndjson"}}
	switch {
	case strings.HasSuffix(name, ".gz"):
		h.Set("Content-Encoding", "gzip")
	case strings.HasSuffix(name, ".zst"):
		h.Set("Content-Encoding", "zstd")
	}
	return h
}

// partialAnswer reads what a refusal says about the lines before it: those that were complete are stored.
func partialAnswer(err error) (importAnswer, error) {
	var a importAnswer
	if e := (*apiError)(nil); errors.As(err, &e) {
		_ = json.Unmarshal(e.Body, &a) // an answer of another shape tells of no lines
	}
	return a, err
}

// printRejects shows the first rejected lines.
func printRejects(w io.Writer, name string, a *importAnswer) {
	for i, e := range a.Errors {
		if i == shownRejects {
			fmt.Fprintf(w, "%s: %d more lines rejected\n", name, a.Rejected-shownRejects)
			return
		}
		fmt.Fprintf(w, "%s:%d: %s\n", name, e.Line, e.Message)
	}
}

// importBar shows how much of a file has been sent and how many hits a second the server takes.
type importBar struct {
	bar *progressbar.ProgressBar
}

// progress gives the bar of one file, nil when nobody looks.
func (c *importCmd) progress(s *streams, name string, size int64) *importBar {
	f, ok := s.err.(*os.File)
	if c.Quiet || !ok || !isTerminal(f) {
		return nil
	}
	return &importBar{progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionFullWidth())}
}

// isTerminal reports whether a person may be looking at f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Write counts bytes that are on their way.
func (b *importBar) Write(p []byte) (int, error) {
	return len(p), b.bar.Add(len(p))
}

// follow shows the server's rate of accepted hits until stop is called. The file may be packed, so only the server
// knows its hits.
func (b *importBar) follow(ctx context.Context, cl *client) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.watch(ctx, cl)
	}()
	return func() {
		cancel()
		<-done
		_ = b.bar.Clear()
	}
}

// watch asks for the server's count of accepted hits once a second.
func (b *importBar) watch(ctx context.Context, cl *client) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, lastTime := int64(-1), time.Now()
	for {
		if n, err := cl.acceptedHits(ctx); err == nil {
			now := time.Now()
			if last >= 0 {
				b.bar.Describe(fmt.Sprintf("%.0f hits/s", float64(n-last)/now.Sub(lastTime).Seconds()))
			}
			last, lastTime = n, now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// acceptedHits reads the server's count of accepted hits from its metrics.
func (c *client) acceptedHits(ctx context.Context) (int64, error) {
	text, err := c.getJSON(ctx, "/metrics", nil)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(metricAccepted+" ")); ok {
			f, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
			return int64(f), err
		}
	}
	return 0, errors.New("metrics lack " + metricAccepted)
}
