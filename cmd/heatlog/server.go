package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/collector"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/replay"
	"heatlog/web"
)

// server is everything that runs: the way of a hit from the listener to the store, and of an answer back.
type server struct {
	log      *slog.Logger
	token    string
	key      []byte // signs links
	listener net.Listener
	reached  string // where browsers reach the server, without a trailing slash
	sites    *collector.Sites
	journal  *writtenJournal
	store    index.Store
	pebble   *pebblestore.Store // the store, nil if it is in a database
	database *database          // the store, nil if it is in the data folder
	counts   *counts
	pruner   *pruner // nil if everything is kept
	taker    *collector.Collector
	web      *web.Server
	salts    *salts
	starting context.Context // ends when the server is to stop
	offline  bool            // no hits are taken
	broken   chan error      // holds what the server cannot go on with
	stopping atomic.Bool     // hits are refused

	closers []closer // of what is open, in the order of opening
}

// closer ends one part of the server.
type closer struct {
	name  string
	close func(context.Context) error
}

// openServer opens everything that flags ask for, unless ctx ends. When a part cannot be opened, those before it are closed again.
func openServer(ctx context.Context, c *serveCmd, log *slog.Logger) (*server, error) {
	s := newServer(ctx, log)
	for _, open := range []func(*serveCmd) error{
		s.openData, s.openJournal, s.listen, s.openSecrets, s.openSites, s.openDemo, s.openSalts, s.openStore, s.openIndex, s.openPruner, s.openWeb, s.openDebug,
	} {
		if err := open(c); err != nil {
			return nil, errors.Join(hintForFolder(c.Data, err), s.close())
		}
	}
	return s, nil
}

func newServer(ctx context.Context, log *slog.Logger) *server {
	return &server{log: log, starting: ctx, broken: make(chan error, 1)}
}

// opened remembers a part that must be closed.
func (s *server) opened(name string, close func(context.Context) error) {
	s.closers = append(s.closers, closer{name, close})
}

func (s *server) openData(c *serveCmd) error {
	return c.Data.create()
}

// openJournal takes the lock of the data folder, so it comes before all that writes there.
func (s *server) openJournal(c *serveCmd) error {
	ack := journal.AckSync
	if c.Ack == "write" {
		ack = journal.AckWrite
	}
	j, err := journal.Open(c.Data.journal(), journal.Options{
		Ack: ack, SegmentBytes: int64(c.SegmentBytes), SegmentAge: c.Retention.segmentAge(), Seal: true, Now: c.now, Logger: s.log,
	})
	if err != nil {
		return hintForJournal(c.Data, err)
	}
	s.journal = &writtenJournal{j: j}
	s.opened("journal", func(context.Context) error { return s.journal.now().Close() })
	return nil
}

// identityHint is what to do about a source's folder without its name.
const identityHint = "nothing was changed: put IDENTITY back, from a copy or, in the folder, with printf 'heatlog journal 1\\nsource %s\\n' \"${PWD##*/}\" > IDENTITY; if the folder is not this journal's, move it away"

// hintForJournal says what to do when the journal of a data folder cannot be opened.
func hintForJournal(d dataDir, err error) error {
	if errors.Is(err, journal.ErrLocked) {
		return withHint(fmt.Errorf("data folder %s is in use by another heatlog: %w", d, err),
			"stop the other one, or choose another folder with --data DIR")
	}
	if errors.Is(err, journal.ErrIdentity) {
		return withHint(err, "%s", identityHint)
	}
	if errors.As(err, new(*journal.CorruptError)) {
		return withHint(err, "heatlog journal verify --data %s says what is damaged; nothing was deleted", d)
	}
	return err
}

func (s *server) listen(c *serveCmd) (err error) {
	if s.listener, err = net.Listen("tcp", c.Listen); err != nil {
		hint := "--listen HOST:PORT names another address"
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "another program listens there, perhaps another heatlog; " + hint
		}
		return withHint(fmt.Errorf("listen on %s: %w", c.Listen, rootOpError(err)), "%s", hint)
	}
	if s.reached = string(c.PublicURL); s.reached == "" {
		s.reached = s.baseURL()
	}
	s.opened("listener", func(context.Context) error {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // serving has closed it
	})
	return nil
}

// rootOpError leaves out what net says about the address, which whoever reports the error names too.
func rootOpError(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// openSecrets reads the token and the key, and makes those that the folder lacks.
func (s *server) openSecrets(c *serveCmd) (err error) {
	if s.token = c.AdminToken; s.token == "" {
		if s.token, err = c.Data.ensureToken(); err != nil {
			return err
		}
	}
	s.key, err = c.Data.ensureKey()
	return err
}

func (s *server) openSites(c *serveCmd) (err error) {
	s.sites, err = c.Data.openSites()
	return err
}

// openStore opens the store, or begins to try to reach it.
func (s *server) openStore(c *serveCmd) (err error) {
	if !c.embedded() {
		s.database = openDatabase(c.shown(), func() (remote, error) { return c.openMongo(s.log) }, s.log)
		s.store = s.database
		s.opened("store", s.database.Close)
		return nil
	}
	if s.pebble, err = openPebble(c.Data, c.storeCache(), s.log); err != nil {
		return err
	}
	s.store = s.pebble
	s.opened("store", func(context.Context) error { return s.pebble.Close() })
	return nil
}

// replayOptions says what the generations read, by sources, and how they count.
func (s *server) replayOptions(c *serveCmd, sources func(func(*journal.CorruptError)) (index.Source, []index.Source)) (replay.Options, error) {
	damaged, workers := s.damaged(c.SkipDamaged), runtime.GOMAXPROCS(0)
	o := replay.Options{
		Index: index.Options{
			Store: s.store, Zone: s.sites.Zone, KnownSite: func(key string) bool { _, ok := s.sites.Lookup(key); return ok },
			Workers: workers, CacheBytes: int64(c.CacheBytes), FlushEvery: c.FlushEvery, CheckpointEvery: min(c.FlushEvery, checkpointEvery), Now: c.now, Logger: s.log,
		},
		Sources: func(own func(*journal.CorruptError)) (index.Source, []index.Source) {
			if own == nil {
				own = damaged
			}
			return sources(own)
		},
		ReplayBytes: int64(c.ReplayBytes), KeepRetired: c.KeepGeneration, Busy: placesFor(workers),
	}
	if c.Rules == "" {
		return o, nil
	}
	text, rules, err := readRules(c.Rules)
	o.Rules, o.RulesText = rules, string(text)
	return o, err
}

// placesFor gives what makes room for the threads of replays among those that the runtime lets run at a time: the reader and
// the workers of each. Which of them get a processor is then up to the system, which knows that they are less urgent; else a
// request would wait for its place behind them.
func placesFor(workers int) func(building int) {
	return func(building int) { runtime.GOMAXPROCS(workers + building*(workers+1)) }
}

// checkpointEvery is the longest time between two checkpoints.
const checkpointEvery = 5 * time.Second

// damaged gives what becomes of damage in the journal: with skip it is logged once for each place and reading goes on,
// else it ends reading.
func (s *server) damaged(skip bool) func(*journal.CorruptError) {
	if !skip {
		return nil
	}
	type place struct {
		source string
		at     uint64
	}
	var known sync.Map
	return func(e *journal.CorruptError) {
		if _, again := known.LoadOrStore(place{filepath.Dir(e.Segment), e.From}, true); !again {
			s.log.Error("journal is damaged, going on behind", "segment", e.Segment, "offset", e.Offset, "lost_hits", e.Lost(), "err", e.Err)
		}
	}
}

// readRules reads a rules file, and gives its text too.
func readRules(name string) ([]byte, *index.Rules, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("read rules: %w", err)
	}
	rules, err := parseRules(name, text)
	return text, rules, err
}

// openSalts reads the salts of the last days and lets a goroutine destroy them in time.
func (s *server) openSalts(c *serveCmd) (err error) {
	if s.salts, err = openSalts(c.Data.salts(), time.Now, s.log); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.salts.keep(ctx)
	}()
	s.opened("salts", func(context.Context) error {
		stop()
		<-done
		return nil
	})
	return nil
}

// openWeb puts the HTTP server together.
func (s *server) openWeb(c *serveCmd) error {
	s.taker = collector.New(collector.Options{
		Journal: s.journal, Sites: s.sites, Logger: s.log, Admit: s.counts.Admit, Salt: s.salts.of,
		ClientIP: c.TrustedProxies.clientIP, RateLimit: c.RateLimit,
		Unavailable: func(err error) bool {
			return errors.Is(err, journal.ErrUnavailable) || errors.Is(err, journal.ErrClosed)
		},
	})
	m := newMetrics()
	m.registry.MustRegister(&statsCollector{s.readStats})
	s.web = web.New(web.Options{
		Reader: s.counts, Generations: s.counts, Sites: register{s.sites}, Export: s.counts.Export, AppendLine: collector.AppendLine,
		Difference: s.counts.Difference, Timeline: s.counts.Timeline, Live: s.counts, CanonicalWhere: index.CanonicalWhere,
		Import: s.unlessStopping(s.taker.Import), In: s.unlessStopping(s.taker.In),
		Around: m.measure, Metrics: m.handler(), Bots: index.Bots, Schema: index.RulesSchema(),
		RefusedOrigins: s.taker.RefusedOrigins, CountedZone: s.counts.Zone,
		Ready: s.ready, Lag: s.counts.Lag, Token: s.token, Logger: s.log,
		PublicURL: string(c.PublicURL), Key: s.key, Sessions: sessionFile(c.Data.sessions()), ClientIP: c.TrustedProxies.clientIP,
		Version: buildVersion(), Demo: s.sendVisitors,
	})
	s.opened("requests", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		if err := s.web.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		s.log.Warn("requests were broken off", "limit", requestTimeout)
		return nil
	})
	return nil
}

// unlessStopping refuses hits when the server is about to end: their sender tries again.
func (s *server) unlessStopping(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if !s.stopping.Load() {
			next(ctx)
			return
		}
		ctx.Response.Header.Set("Retry-After", "2")
		ctx.SetConnectionClose()
		ctx.SetContentType("application/json")
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		ctx.SetBodyString(`{"error":{"code":"unavailable","message":"the server is stopping"}}`)
	}
}

func (s *server) ready() error {
	if s.stopping.Load() {
		return errors.New("the server is stopping")
	}
	return s.counts.Ready()
}

// openDebug serves profiles where they were asked for.
func (s *server) openDebug(c *serveCmd) error {
	if c.DebugListen == "" {
		return nil
	}
	l, err := net.Listen("tcp", c.DebugListen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.DebugListen, rootOpError(err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	debug := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go debug.Serve(l) // ends with the listener
	s.opened("profiles", func(context.Context) error { return debug.Close() })
	s.log.Info("profiles are served", "listen", l.Addr().String())
	return nil
}

// serve answers requests until ctx ends, the listener fails, or the server cannot go on. Hits are refused from then on.
func (s *server) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.web.Serve(s.listener) }()
	select {
	case err := <-failed:
		s.stopping.Store(true)
		return err
	case err := <-s.broken:
		s.stopping.Store(true)
		return err
	case <-ctx.Done():
		s.stopping.Store(true)
		return nil
	}
}

// close ends every part that was opened, the last one first, each within stopTimeout.
func (s *server) close() error {
	s.stopping.Store(true)
	var all error
	for i := len(s.closers) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		if err := s.closers[i].close(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("close %s: %w", s.closers[i].name, err))
		}
		cancel()
	}
	s.closers = nil
	return all
}

// baseURL is the address of the server as a client on this machine writes it.
func (s *server) baseURL() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return "http://" + s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
