package collector

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// Limits of what is taken in.
const (
	MaxLine        = 64 << 10  // bytes of a line of an import, without its end
	MaxBody        = 256 << 10 // bytes of a tracker's batch, also unpacked
	MaxHits        = 500       // hits of a tracker's batch
	MaxBatchLines  = 50_000    // lines of an import with ?batch=
	MaxBatchBytes  = 64 << 20  // bytes of an import with ?batch=, unpacked
	MaxErrors      = 100       // refused lines that an answer describes
	MaxZstdWindow  = 8 << 20   // bytes of a zstd frame's window; what RFC 8878 recommends to support
	MaxAppendHits  = 4096      // hits of one append to the journal
	MaxAppendBytes = 4 << 20   // bytes of the lines of one append, which bounds what it encodes to
)

// Journal is where accepted hits go. Put takes batches and may not keep them once it has returned, the hits in them are
// reused; strings may be kept. wait returns when the hits are durable. Either gives an error if they will not be.
type Journal interface {
	Put(batches []heatmap.Batch) (wait func() error, err error)
}

// Options configure a Collector. Journal and Sites are needed.
type Options struct {
	Journal Journal
	Sites   *Sites

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // nil discards

	// Admit says whether so many more hits can be taken. While it gives an error, In answers 503 and Import waits, for
	// at most AdmitWait (default 30 s).
	Admit     func(hits int) error
	AdmitWait time.Duration

	// Unavailable tells errors of Journal that pass, answered 503, from the others, answered 500. Default: all
	// of them pass.
	Unavailable func(error) bool

	// Salt gives the secret of a day for the hash of visitors, the same one on every call, at least 16 random bytes.
	// Whoever keeps it has to destroy it within 48 hours of the day's end. Default: salts in memory, so that a restart
	// makes new visitors. The day is in the zone of the visitor's site.
	Salt func(day heatmap.Date) []byte

	// ClientIP gives the address of whoever sent a request. Default: the connection's. It is used for the hash of the
	// visitor and for RateLimit, and for nothing else.
	ClientIP func(*fasthttp.RequestCtx) netip.Addr

	// RateLimit is how many requests/s In takes of an IPv4 address or an IPv6 /64: 0 = any number, else MinRateLimit to
	// MaxRateLimit. Two seconds' worth, at least one, may come at once. One more is answered 429 with Retry-After.
	RateLimit float64
}

// Collector takes hits over HTTP. It is safe for concurrent use.
type Collector struct {
	o         Options
	limit     *limiter // nil = no limit
	counts    counters
	readers   readerPool
	importers sync.Pool // *importer
	groups    sync.Pool // *group
	batches   sync.Pool // *batchParser
	refused   refusals

	failedAt atomic.Int64  // when the last line about hits that could not be stored was logged, Unix ns
	unlogged atomic.Uint64 // requests that could not be stored since
}

// New makes a collector. It panics without a journal or sites, and for a rate limit outside its bounds.
func New(o Options) *Collector {
	if o.Journal == nil || o.Sites == nil {
		panic("BUG: collector without journal or sites")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Admit == nil {
		o.Admit = func(int) error { return nil }
	}
	if o.AdmitWait == 0 {
		o.AdmitWait = 30 * time.Second
	}
	if o.Unavailable == nil {
		o.Unavailable = func(error) bool { return true }
	}
	if o.Salt == nil {
		o.Salt = new(memorySalts).salt
	}
	if o.ClientIP == nil {
		o.ClientIP = connectionIP
	}
	c := &Collector{o: o}
	if o.RateLimit != 0 {
		c.limit = newLimiter(o.RateLimit, o.Now())
	}
	return c
}

func connectionIP(ctx *fasthttp.RequestCtx) netip.Addr {
	addr, _ := netip.AddrFromSlice(ctx.RemoteIP())
	return addr.Unmap()
}

// logEvery is how far apart lines of the log about hits that could not be stored are: a full disk must not get fuller by
// a line for each request.
const logEvery = time.Second

// storeFailed counts hits that could not be stored and logs them; the requests of which no line tells are counted in the
// next one.
func (c *Collector) storeFailed(err error) {
	c.counts.storeFailures.Add(1)
	now, last := c.o.Now().UnixNano(), c.failedAt.Load()
	if last != 0 && now >= last && now-last < int64(logEvery) || !c.failedAt.CompareAndSwap(last, now) {
		c.unlogged.Add(1)
		return
	}
	c.o.Logger.Warn("hits not stored", "err", err, "requests", 1+c.unlogged.Swap(0))
}

// errStore is an error of storing hits, as the client is told of it.
type errStore struct {
	passes bool // trying again later may help
	err    error
}

func (e *errStore) Error() string { return e.err.Error() }
func (e *errStore) Unwrap() error { return e.err }

// put marks the sites and gives the batches to the journal.
func (c *Collector) put(sites []*siteEntry, batches []heatmap.Batch) (wait func() error, err error) {
	for _, s := range sites {
		if err := c.o.Sites.MarkUsed(s.site.Key); err != nil {
			return nil, &errStore{true, err}
		}
	}
	if wait, err = c.o.Journal.Put(batches); err != nil {
		return nil, c.notAppended(err)
	}
	return wait, nil
}

// store marks the sites, appends the batches and waits until they are durable.
func (c *Collector) store(sites []*siteEntry, batches []heatmap.Batch) error {
	wait, err := c.put(sites, batches)
	if err != nil {
		return err
	}
	if err := wait(); err != nil {
		return c.notAppended(err)
	}
	return nil
}

func (c *Collector) notAppended(err error) error {
	return &errStore{c.o.Unavailable(err), fmt.Errorf("append hits: %w", err)}
}

// admitEvery is how often an import asks again whether it may go on.
const admitEvery = 20 * time.Millisecond

// waitAdmitted waits until hits more may be taken.
func (c *Collector) waitAdmitted(hits int) error {
	err := c.o.Admit(hits)
	if err == nil {
		return nil
	}
	tick := time.NewTicker(admitEvery)
	defer tick.Stop()
	deadline := time.NewTimer(c.o.AdmitWait)
	defer deadline.Stop()
	for err != nil {
		select {
		case <-tick.C:
			err = c.o.Admit(hits)
		case <-deadline.C:
			return &errStore{true, fmt.Errorf("wait to be admitted: %w", err)}
		}
	}
	return nil
}

// passes reports whether err is one that trying again later may help.
func passes(err error) bool {
	var e *errStore
	return errors.As(err, &e) && e.passes
}
