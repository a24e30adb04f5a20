package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"heatlog/heatmap"
)

// serveCmd runs the server until SIGTERM or SIGINT.
type serveCmd struct {
	Listen      string        `help:"Address to listen on." env:"HEATLOG_LISTEN" default:"127.0.0.1:8080"`
	Data        dataDir       `help:"Folder for everything that is kept." env:"HEATLOG_DATA" default:"./data"`
	Store       string        `help:"Where counts are stored: pebble, inside the data folder." env:"HEATLOG_STORE" default:"pebble"`
	Ack         ackMode       `help:"What an answer to hits promises: sync (fsynced: survives power loss) or write (handed to the system, fsynced within 200 ms: survives a crash of the process)." env:"HEATLOG_ACK" default:"sync"`
	CacheBytes  byteSize      `help:"Memory for counts that are not stored yet, as 64MiB." env:"HEATLOG_CACHE_BYTES" default:"128MiB"`
	FlushEvery  time.Duration `help:"Longest time that counts stay in memory only." env:"HEATLOG_FLUSH_EVERY" default:"30s"`
	SkipDamaged bool          `help:"Count what lies behind damage in the journal; without it counting stops there." env:"HEATLOG_SKIP_DAMAGED"`
	Rules       string        `help:"Rules for URLs, pages and exclusions (YAML) of a first start." env:"HEATLOG_RULES" placeholder:"FILE"`
	AdminToken  string        `help:"Token that the API asks for; without it one is made and kept in the data folder." env:"HEATLOG_ADMIN_TOKEN" placeholder:"TOKEN"`

	DebugListen string `hidden:"" help:"Loopback address for profiles." env:"HEATLOG_DEBUG_LISTEN"`
}

// ackMode is what an answer to hits promises: sync or write.
type ackMode string

// UnmarshalText refuses other names.
func (m *ackMode) UnmarshalText(text []byte) error {
	if *m = ackMode(text); *m != "sync" && *m != "write" {
		return fmt.Errorf("ack mode is %q, want sync or write", text)
	}
	return nil
}

// Bounds of stopping. What is not stored in time is read from the journal again at the next start.
const (
	requestTimeout = 5 * time.Second  // for requests that are under way
	stopTimeout    = 20 * time.Second // for each other part, such as storing the counts
)

// minCacheBytes is the least memory that counts can be kept in without storing one at a time.
const minCacheBytes = 1 << 20

// Run opens the data folder, serves, and closes everything again.
func (c *serveCmd) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.check(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	start := time.Now()
	log.Info("heatlog starts", "version", buildVersion(), "data", string(c.Data), "ack", string(c.Ack))
	srv, err := openServer(c, log)
	if err != nil {
		return err
	}
	log.Info("heatlog started", "took", time.Since(start).Round(time.Millisecond), "listen", srv.listener.Addr().String())
	go c.limitMemory(ctx, func() int64 { return srv.index.Stats().Stream.RepeatBytes })
	c.greet(s.out, srv)
	err = srv.serve(ctx)
	stop() // a second signal ends the process at once
	begin := time.Now()
	log.Info("heatlog stops")
	err = errors.Join(err, srv.close())
	log.Info("heatlog stopped", "took", time.Since(begin).Round(time.Millisecond))
	return err
}

// limitMemory has garbage collected before the process grows over thrice the cache, what everything else needs, and
// twice what tells repeats under much traffic: without it, it grows to twice what is in use. GOMEMLIMIT says otherwise.
func (c *serveCmd) limitMemory(ctx context.Context, repeatBytes func() int64) {
	const (
		otherBytes = 160 << 20 // the store's tables and cache, chunks and requests under way
		every      = 5 * time.Second
	)
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		debug.SetMemoryLimit(3*int64(c.CacheBytes) + otherBytes + 2*repeatBytes())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check refuses flags that cannot work.
func (c *serveCmd) check() error {
	if scheme, _, ok := strings.Cut(c.Store, "://"); ok && strings.HasPrefix(scheme, "mongodb") {
		return withHint(&misuse{fmt.Errorf("store %s://… is not in this version", scheme)}, "--store pebble keeps counts in the data folder")
	}
	if c.Store != "pebble" {
		return withHint(&misuse{fmt.Errorf("store %q is unknown", c.Store)}, "--store pebble")
	}
	if c.CacheBytes < minCacheBytes {
		return &misuse{fmt.Errorf("--cache-bytes is %d bytes, at least %d are needed", int64(c.CacheBytes), minCacheBytes)}
	}
	if c.FlushEvery <= 0 {
		return &misuse{fmt.Errorf("--flush-every is %v, it must be above 0", c.FlushEvery)}
	}
	if strings.TrimSpace(c.AdminToken) != c.AdminToken {
		return &misuse{errors.New("--admin-token has white space around it")}
	}
	return c.checkDebug()
}

// checkDebug refuses to show profiles to other machines.
func (c *serveCmd) checkDebug() error {
	if c.DebugListen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.DebugListen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &misuse{fmt.Errorf("--debug-listen %q is not a loopback address", c.DebugListen)}
	}
	return nil
}

// greet tells whoever started the server what to do next. It is the only place where the token is shown.
func (c *serveCmd) greet(w io.Writer, srv *server) {
	base := srv.baseURL()
	site := heatmap.Site{Key: "demo"}
	if sites := srv.sites.List(); len(sites) > 0 {
		site = sites[0]
	}
	page := base + "/"
	if len(site.Origins) > 0 {
		page = site.Origins[0] + "/"
	}
	program, flags, export := shellWord(os.Args[0]), c.clientFlags(base), ""
	if c.AdminToken != "" {
		export = "  export HEATLOG_TOKEN=" + shellWord(srv.token) + "\n"
	}
	fmt.Fprintf(w, `
heatlog listens on %[1]s
admin token: %[2]s

Try it, in another terminal:
%[9]s  echo '{"t":%[3]d,"site":"%[4]s","url":"%[5]s","kind":"click","x":512,"y":480,"vw":1280,"vh":720}' > first.ndjson
  %[8]s import%[6]s first.ndjson
  %[8]s query heatmap%[6]s %[4]s %[5]s
  curl -H %[10]s '%[1]s/v1/heatmap?site=%[4]s&url=%[7]s'

`, base, srv.token, time.Now().UnixMilli(), site.Key, page, flags, url.QueryEscape(page), program, export,
		shellWord("Authorization: Bearer "+srv.token))
}

// clientFlags are the flags that a client in the same folder needs to find this server.
func (c *serveCmd) clientFlags(base string) string {
	var b strings.Builder
	if base != "http://127.0.0.1:8080" {
		b.WriteString(" --url " + base)
	}
	if c.AdminToken == "" && c.Data != "./data" {
		b.WriteString(" --data " + shellWord(string(c.Data)))
	}
	return b.String()
}

// shellWord quotes text where a shell would not take it as one word of these characters.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,+@%=", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
