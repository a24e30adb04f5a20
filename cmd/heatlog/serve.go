package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"heatlog/collector"
)

// serveCmd runs the server until SIGTERM or SIGINT.
type serveCmd struct {
	Listen string  `help:"Address to listen on." env:"HEATLOG_LISTEN" default:"127.0.0.1:8080"`
	Data   dataDir `help:"Folder for everything that is kept." env:"HEATLOG_DATA" default:"./data"`
	storeFlags
	Ack            ackMode        `help:"What an answer to hits promises: sync (fsynced: survives power loss) or write (handed to the system, fsynced within 200 ms: survives a crash of the process)." env:"HEATLOG_ACK" default:"sync"`
	CacheBytes     byteSize       `help:"Memory for counts that are not stored yet, as 64MiB; half as much, at least 16MiB, is for what was read of the store." env:"HEATLOG_CACHE_BYTES" default:"128MiB"`
	FlushEvery     time.Duration  `help:"Longest time that counts stay in memory only." env:"HEATLOG_FLUSH_EVERY" default:"30s"`
	SkipDamaged    bool           `help:"Count what lies behind damage in the journal; without it counting stops there." env:"HEATLOG_SKIP_DAMAGED"`
	Rules          string         `help:"Rules for URLs, pages and exclusions (YAML) of a first start; later a replay changes them." env:"HEATLOG_RULES" placeholder:"FILE"`
	ReplayBytes    byteSize       `help:"Memory for counts that are not stored yet of a generation that a replay builds." env:"HEATLOG_REPLAY_BYTES" default:"256MiB"`
	KeepGeneration time.Duration  `help:"How long a generation is kept up to date after another was switched to, so that one can go back; then it is dropped." env:"HEATLOG_KEEP_GENERATION" default:"24h"`
	Retention      retention      `help:"What is kept of the journal: an age (90d, 36h), a size (50GiB) or both (90d,50GiB). Older hits are deleted once they are counted; counts stay. Without it everything is kept." env:"HEATLOG_RETENTION" placeholder:"AGE,SIZE"`
	PublicURL      publicURL      `help:"Where browsers reach the server, as https://heat.example, when it is behind a proxy." env:"HEATLOG_PUBLIC_URL" placeholder:"URL"`
	TrustedProxies trustedProxies `help:"Addresses and ranges of proxies whose X-Forwarded-For is believed." env:"HEATLOG_TRUSTED_PROXIES" placeholder:"CIDR,…"`
	RateLimit      float64        `help:"Requests a second with hits that an address may send (an IPv4 address, an IPv6 /64); 0 = any number." env:"HEATLOG_RATE_LIMIT" default:"0" placeholder:"N"`
	AdminToken     string         `help:"Token that the API asks for; without it one is made and kept in the data folder." env:"HEATLOG_ADMIN_TOKEN" placeholder:"TOKEN"`

	DebugListen  string        `hidden:"" help:"Loopback address for profiles." env:"HEATLOG_DEBUG_LISTEN"`
	SegmentBytes byteSize      `hidden:"" help:"Length at which a journal segment is full; for tests." env:"HEATLOG_SEGMENT_BYTES" default:"64MiB"`
	PruneEvery   time.Duration `hidden:"" help:"How often the journal is pruned; for tests." env:"HEATLOG_PRUNE_EVERY" default:"1m"`
	ClockAhead   time.Duration `hidden:"" help:"How far ahead the clock of journal and index is; for tests." env:"HEATLOG_CLOCK_AHEAD"`
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

// shortToken is the length below which an admin token is warned of, bytes: wrong ones in the header of an API request are
// not slowed down.
const shortToken = 16

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
	if n := len(c.AdminToken); n > 0 && n < shortToken {
		log.Warn("the admin token can be guessed, choose a long random one", "bytes", n, "want", shortToken)
	}
	start := time.Now()
	log.Info("heatlog starts", "version", buildVersion(), "data", string(c.Data), "store", c.shown(), "ack", string(c.Ack))
	srv, err := openServer(ctx, c, log)
	if err != nil {
		return err
	}
	log.Info("heatlog started", "took", time.Since(start).Round(time.Millisecond), "listen", srv.listener.Addr().String())
	go c.limitMemory(ctx, srv.counts.Memory)
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
// twice what replays, generations beside the active one, and what tells repeats under much traffic need: without it, it
// grows to twice what is in use. GOMEMLIMIT says otherwise.
func (c *serveCmd) limitMemory(ctx context.Context, memory func() (deltas, repeats int64)) {
	const (
		otherBytes = 176 << 20 // the store's tables, what is kept for answers, chunks and requests under way
		every      = 5 * time.Second
	)
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		deltas, repeats := memory()
		debug.SetMemoryLimit(3*int64(c.CacheBytes) + 2*max(deltas-int64(c.CacheBytes), 0) + c.storeCache() + otherBytes + 2*repeats)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// storeCache is the memory for what was read of the store, bytes. The days and months of 1,000 pages in 90 days, of which there are
// 1,200,000 hits, take 40 MiB: read from the files again and decompressed each time, they cost half as much as counting them.
// Of a database nothing is kept.
func (c *serveCmd) storeCache() int64 {
	if !c.embedded() {
		return 0
	}
	return max(int64(c.CacheBytes)/2, 16<<20)
}

// check refuses flags that cannot work.
func (c *serveCmd) check() error {
	if err := c.checkStore(); err != nil {
		return err
	}
	if c.CacheBytes < minCacheBytes {
		return &misuse{fmt.Errorf("--cache-bytes is %d bytes, at least %d are needed", int64(c.CacheBytes), minCacheBytes)}
	}
	if c.ReplayBytes < minCacheBytes {
		return &misuse{fmt.Errorf("--replay-bytes is %d bytes, at least %d are needed", int64(c.ReplayBytes), minCacheBytes)}
	}
	if c.KeepGeneration <= 0 {
		return &misuse{fmt.Errorf("--keep-generation is %v, it must be above 0", c.KeepGeneration)}
	}
	if c.FlushEvery <= 0 {
		return &misuse{fmt.Errorf("--flush-every is %v, it must be above 0", c.FlushEvery)}
	}
	if c.PruneEvery <= 0 {
		return &misuse{fmt.Errorf("--prune-every is %v, it must be above 0", c.PruneEvery)}
	}
	if c.RateLimit != 0 && !(c.RateLimit >= collector.MinRateLimit && c.RateLimit <= collector.MaxRateLimit) {
		return &misuse{fmt.Errorf("--rate-limit is %v, want 0 for none or %v to %d requests/s", c.RateLimit, collector.MinRateLimit, collector.MaxRateLimit)}
	}
	if strings.TrimSpace(c.AdminToken) != c.AdminToken {
		return &misuse{errors.New("--admin-token has white space around it")}
	}
	return c.checkDebug()
}

// now is the clock of journal and index.
func (c *serveCmd) now() time.Time { return time.Now().Add(c.ClockAhead) }

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

// greet tells whoever started the server what to do next.
func (c *serveCmd) greet(w io.Writer, srv *server) {
	token := c.Data.token() + ", for programs that use the API"
	if c.AdminToken != "" {
		token = "the one that --admin-token gave, for programs that use the API"
	}
	base := srv.baseURL()
	fmt.Fprintf(w, `
heatlog listens on %[1]s

  sign in   %[2]s
            is good for 24 hours; %[5]s signin prints another
  demo      %[3]s/demo/
  tag       <script defer src="%[3]s/hl.js" data-site="%[4]s"></script>
  try       %[5]s demo%[6]s
            sends a few hundred visitors to the demo
  token     %[7]s
%[8]s
`, base, signInLink(srv.reached, srv.web.SignInTicket()), srv.reached, srv.tagSite(), shellWord(os.Args[0]), c.clientFlags(base), token,
		c.reachHint(srv))
}

// reachHint is for a server that listens for other machines and does not know how they call it.
func (c *serveCmd) reachHint(srv *server) string {
	host, _, _ := net.SplitHostPort(srv.listener.Addr().String())
	if ip := net.ParseIP(host); c.PublicURL != "" || ip == nil || ip.IsLoopback() {
		return ""
	}
	return "  note      these addresses are for this machine; for others start with --public-url http://HOST:PORT as they write it\n"
}

// tagSite is the key of the site whose tag is shown: the first one of the operator's own.
func (s *server) tagSite() string {
	for _, site := range s.sites.List() {
		if site.Key != demoKey {
			return site.Key
		}
	}
	return demoKey
}

// clientFlags are the flags that a client in the same folder needs to find this server. A token that was given is not
// repeated.
func (c *serveCmd) clientFlags(base string) string {
	var b strings.Builder
	if base != "http://127.0.0.1:8080" {
		b.WriteString(" --url " + base)
	}
	switch {
	case c.AdminToken != "":
		b.WriteString(" --token TOKEN")
	case c.Data != "./data":
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
