package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
	"heatlog/journal"
)

// benchStreamCmd makes hits.
type benchStreamCmd struct {
	As          string  `help:"batches: requests as the tracker sends them; lines: what import reads, once their sites site-0 and so on are added; journal: straight into a data folder that no server uses." enum:"batches,lines,journal" default:"batches"`
	Hits        uint64  `help:"Hits to make." default:"1000000"`
	Rate        float64 `help:"Hits a second; 0 = as fast as it goes." default:"0" placeholder:"N"`
	Seed        uint64  `help:"Equal seeds make equal hits." default:"1"`
	Sites       int     `help:"Sites." default:"20"`
	Pages       int     `help:"Pages of all sites, 1 to 1,000,000." default:"2000"`
	Days        int     `help:"Days that the hits are spread over." default:"120"`
	HitsPerView int     `help:"Mean number of hits of a view, 2 to 200." default:"10"`
	Conns       int     `help:"Connections that send batches." default:"64"`
	Ack         string  `help:"Ack mode of the server that is started." enum:"sync,write" default:"sync"`
	URL         string  `help:"Server that batches are sent to, which gets the sites; without it one is started." placeholder:"URL"`
	Token       string  `help:"Admin token of that server." env:"HEATLOG_TOKEN" placeholder:"TOKEN"`
	Data        dataDir `help:"Data folder of the journal, or of the server that is started; without it the latter's is a temporary one." placeholder:"DIR"`
	Out         string  `help:"File for lines, - for standard output." default:"-" placeholder:"FILE"`
}

// Help says what the hits are like.
func (benchStreamCmd) Help() string {
	return `The hits are the same for the same seed and numbers, on every machine. They are:

  pages     page i is asked for with a weight of (i+1)^-1.1, and has 40 hot spots
  visitors  55 % with telephones, 4 % with tablets, 41 % at desktops, in the viewports that are common there; 3 % are bots;
            more come in the evening than at night
  sessions  1 to 8 views of pages of one site, 3 in the mean
  hits      of each view one view and a first scroll; of the others 6 in 10 are clicks, 3 scrolls and 1 moves
  clicks    80 % on a hot spot, an element with selector and place inside it; 1 in 50 dead; 1 view in 100 has a burst of rage
  batches   what a view did in 1 to 5 s, 20 hits at most; one in 200 comes up to a minute late

go doc heatlog/cmd/heatlog/internal/stream has the whole. Batches are counted at the time at which they are sent, lines and journals from
1 January 2026 on.`
}

// Run makes the hits.
func (c *benchStreamCmd) Run(s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	write := c.batches
	switch c.As {
	case "lines":
		write = c.lines
	case "journal":
		write = c.journal
	}
	err := write(ctx, s)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errors.New("stopped before all hits were made")
	}
	return err
}

// check refuses what makes no stream.
func (c *benchStreamCmd) check() error {
	switch {
	case c.Hits < 1 || c.Rate < 0 || c.Conns < 1 || c.Days < 1 || c.Sites < 1:
		return &misuse{errors.New("--hits, --conns, --days and --sites must be above 0, --rate at least 0")}
	case c.Pages < c.Sites || c.Pages > 1_000_000:
		return &misuse{fmt.Errorf("--pages is %d, want at least one for each of %d sites and at most 1,000,000", c.Pages, c.Sites)}
	case c.HitsPerView < 2 || c.HitsPerView > 200:
		return &misuse{fmt.Errorf("--hits-per-view is %d, want 2 to 200", c.HitsPerView)}
	case c.As != "batches" && c.URL != "":
		return &misuse{fmt.Errorf("--url is where batches are sent to, and nothing is sent with --as %s", c.As)}
	case c.As != "lines" && c.Out != "-":
		return &misuse{errors.New("--out is the file for lines: want --as lines with it")}
	case c.As == "lines" && c.Data != "":
		return &misuse{errors.New("--data is of no use to lines: --out is their file")}
	case c.As == "journal" && c.Data == "":
		return withHint(&misuse{errors.New("a journal needs a data folder")}, "--data DIR")
	}
	return nil
}

// source gives the stream to its end.
func (c *benchStreamCmd) source() *benchHits {
	return &benchHits{left: int(c.Hits), stream: stream.New(stream.Options{
		Seed: c.Seed, Sites: c.Sites, Pages: c.Pages, Days: c.Days, Hits: c.Hits, HitsPerView: c.HitsPerView,
	})}
}

// each gives the hits in groups of batches, at the rate.
func (c *benchStreamCmd) each(ctx context.Context, source *benchHits, fn func([]heatmap.Batch) error) error {
	p, group := newPlan(c.Rate), 1000
	if c.Rate > 0 {
		group = max(min(group, int(c.Rate/100)), 1)
	}
	for batches := source.next(group); len(batches) > 0; batches = source.next(group) {
		if c.Rate > 0 {
			if err := sleep(ctx, time.Until(p.at())); err != nil {
				return err
			}
			p.hits = int64(c.Hits) - int64(source.left)
		}
		if err := errors.Join(fn(batches), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// lines writes what import reads.
func (c *benchStreamCmd) lines(ctx context.Context, s *streams) (err error) {
	var out io.Writer = s.out
	if c.Out != "-" {
		f, err := os.Create(c.Out)
		if err != nil {
			return fmt.Errorf("write lines: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	w := bufio.NewWriterSize(out, 1<<18)
	var lines []byte
	err = c.each(ctx, c.source(), func(batches []heatmap.Batch) error {
		lines = lines[:0]
		for i := range batches {
			lines = stream.AppendLines(lines, &batches[i])
		}
		_, err := w.Write(lines)
		if err == nil && c.Rate > 0 {
			err = w.Flush()
		}
		return err
	})
	if err := errors.Join(err, w.Flush()); err != nil {
		return fmt.Errorf("write lines: %w", err)
	}
	return nil
}

// journal appends the hits to the journal of a data folder, whose next server counts them.
func (c *benchStreamCmd) journal(ctx context.Context, s *streams) (err error) {
	if err := c.Data.create(); err != nil {
		return err
	}
	sites, err := c.Data.openSites()
	if err != nil {
		return err
	}
	source := c.source()
	j, err := source.open(c.Data.journal())
	if err != nil {
		return hintForJournal(c.Data, err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	for _, site := range source.stream.Sites() {
		if err := sites.Put(site); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := c.each(ctx, source, func(batches []heatmap.Batch) error {
		_, err := j.Append(batches)
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d hits in %.2f s, %.0f hits/s; source %s\n", c.Hits, time.Since(start).Seconds(), float64(c.Hits)/time.Since(start).Seconds(), j.Source())
	return nil
}

// batches sends the hits to a server, and tells of that.
func (c *benchStreamCmd) batches(ctx context.Context, s *streams) (err error) {
	if c.URL != "" {
		result, err := c.send(ctx, serverFlags{URL: c.URL, Token: c.Token, Data: c.Data})
		if err != nil {
			return err
		}
		return printFigures(s.out, result.figures())
	}
	own, err := c.startOwn()
	if err != nil {
		return err
	}
	figures, err := own.measure(ctx, c)
	if err := errors.Join(err, own.remove()); err != nil {
		return err
	}
	return printFigures(s.out, figures)
}

// send sends all hits to a server.
func (c *benchStreamCmd) send(ctx context.Context, f serverFlags) (result loadResult, err error) {
	cl, err := f.client()
	if err != nil {
		return result, err
	}
	if cl.base.Scheme != "http" {
		return result, withHint(&misuse{fmt.Errorf("batches cannot be sent to %s: only http", cl.base)}, "give the address behind the proxy that ends TLS")
	}
	source := c.source()
	if err := addSites(f, source.stream); err != nil {
		return result, err
	}
	address := cl.base.Host
	if cl.base.Port() == "" {
		address = net.JoinHostPort(cl.base.Hostname(), "80")
	}
	l := &loader{address: address, batches: &streamBatches{source: source, address: cl.base.Host}, conns: c.Conns, rate: c.Rate}
	if result, err = l.run(ctx); err == nil {
		err = ctx.Err()
	}
	return result, err
}

// streamBatches sends a stream.
type streamBatches struct {
	source  *benchHits
	address string
	body    []byte
	request []byte
}

func (b *streamBatches) next() (request []byte, hits int) {
	batches := b.source.next(1)
	if len(batches) == 0 {
		return nil, 0
	}
	first := &batches[0]
	b.body = stream.AppendBatchJSON(b.body[:0], first, b.source.stream.Time())
	origin := first.Hits[0].URL
	if at := originEnd(origin); at > 0 {
		origin = origin[:at]
	}
	b.request = appendRequest(b.request[:0], b.address, origin, first.Hits[0].UserAgent, b.body)
	return b.request, len(first.Hits)
}

// originEnd is where the origin of a URL ends.
func originEnd(url string) int {
	for i := len("https://"); i < len(url); i++ {
		if url[i] == '/' {
			return i
		}
	}
	return 0
}

// printFigures writes one figure a line.
func printFigures(w io.Writer, figures []streamFigure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, f := range figures {
		fmt.Fprintf(t, "%s\t%s\t %s\n", f.what, figure(f.value), f.unit)
	}
	return t.Flush()
}

// streamFigure is a line of what is told.
type streamFigure struct {
	what  string
	value float64
	unit  string
}

// figures are what a load came to.
func (r *loadResult) figures() []streamFigure {
	list := []streamFigure{
		{"hits", float64(r.hits) / r.took.Seconds(), "hits/s"},
		{"requests", float64(r.requests) / r.took.Seconds(), "requests/s"},
	}
	for _, q := range []float64{50, 90, 99, 99.9, 100} {
		list = append(list, streamFigure{fmt.Sprintf("acknowledgement, p%g", q), ms(r.latency.quantile(q / 100)), "ms"})
	}
	return list
}

// ownServer is a server that was started to be measured.
type ownServer struct {
	*child
	data   dataDir
	remove func() error
}

// startOwn starts a server in a data folder of its own, on a core of its own where there is one.
func (c *benchStreamCmd) startOwn() (*ownServer, error) {
	own := &ownServer{data: c.Data, remove: func() error { return nil }}
	if own.data == "" {
		dir, err := os.MkdirTemp("", "heatlog-bench-")
		if err != nil {
			return nil, fmt.Errorf("make data folder: %w", err)
		}
		own.data, own.remove = dataDir(dir), func() error { return os.RemoveAll(dir) }
	}
	if err := own.data.create(); err != nil {
		return nil, errors.Join(err, own.remove())
	}
	if _, err := os.Stat(own.data.journal()); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(withHint(fmt.Errorf("data folder %s has a journal: its hits would be measured too", own.data), "choose another folder with --data DIR"), err)
	}
	var err error
	own.child, err = startChild(string(own.data), true, "serve", "--listen", "127.0.0.1:0", "--data", string(own.data), "--ack", c.Ack)
	if err != nil {
		return nil, errors.Join(err, own.remove())
	}
	return own, nil
}

// measure sends the hits, ends the server and looks at what it stored.
func (own *ownServer) measure(ctx context.Context, c *benchStreamCmd) (figures []streamFigure, err error) {
	undo, err := pinSelf()
	if err != nil {
		return nil, errors.Join(err, own.stop())
	}
	defer undo()
	f := serverFlags{URL: own.base, Data: own.data}
	result, err := c.send(ctx, f)
	if err == nil {
		err = own.counted(f, uint64(result.hits))
	}
	cpu, rss := own.cpuTime(), own.peakRSS()
	if err := errors.Join(err, own.stop()); err != nil {
		return nil, err
	}
	hits := float64(result.hits)
	active, err := filesSize(own.data.journal())
	if err != nil {
		return nil, err
	}
	sealed, err := own.seal(c)
	if err != nil {
		return nil, err
	}
	stored, err := storedSizesOf(own.data)
	if err != nil {
		return nil, err
	}
	return append(result.figures(),
		streamFigure{"server CPU", cpu.Seconds() * 1e6 / hits, "s/million hits"},
		streamFigure{"peak memory", float64(rss) / (1 << 20), "MiB"},
		streamFigure{"journal, active", float64(active) / hits, "bytes/hit"},
		streamFigure{"journal, sealed", float64(sealed) / hits, "bytes/hit"},
		streamFigure{"blobs of days", float64(stored.days) / hits, "bytes/hit"},
		streamFigure{"blobs of months", float64(stored.months) / hits, "bytes/hit"},
		streamFigure{"documents in MongoDB", float64(stored.mongoDocs) / hits, "bytes/hit"},
		streamFigure{"their index in MongoDB", float64(stored.mongoIDs) / hits, "bytes/hit"},
		streamFigure{"hits a document", hits / float64(stored.docs), "hits"},
	), nil
}

// counted waits until the server has counted so many hits.
func (own *ownServer) counted(f serverFlags, hits uint64) error {
	cl, err := f.client()
	if err != nil {
		return err
	}
	return waitCounted(&serverGenerations{cl}, hits)
}

// seal seals the server's journal, which one more batch ends the last segment of, and gives its length, bytes.
func (own *ownServer) seal(c *benchStreamCmd) (size int64, err error) {
	j, err := journal.Open(own.data.journal(), journal.Options{Ack: journal.AckWrite})
	if err != nil {
		return 0, err
	}
	if _, err = j.Append(c.source().next(1)); err == nil {
		_, err = j.Seal(context.Background())
	}
	if err := errors.Join(err, j.Close()); err != nil {
		return 0, err
	}
	return filesSize(own.data.journal())
}
