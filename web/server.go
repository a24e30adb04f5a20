package web

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// Reader answers queries. What a query does wrong is a *heatmap.ParamError, with Field "generation" for one that does
// not exist. An error that wraps context.DeadlineExceeded means that the answer took too long; a *heatmap.UnavailableError,
// that it cannot be had at present.
type Reader interface {
	MapReader
	Scroll(ctx context.Context, q heatmap.Query) (*heatmap.Scroll, error)
	Pages(ctx context.Context, q heatmap.Query) (*heatmap.PageList, error)
	Trend(ctx context.Context, q heatmap.Query) (*heatmap.Trend, error)
}

// MapReader answers queries for where a page was clicked: on the page, and at its elements.
type MapReader interface {
	Heatmap(ctx context.Context, q heatmap.Query) (*heatmap.Heatmap, error)
	Elements(ctx context.Context, q heatmap.Query) (*heatmap.ElementList, error)
}

// Sites are the registered sites. An error of Put that has a method Code() string is the caller's fault: "conflict"
// gives status 409, another code 400; a method Field() string names the member. Any other error is ours.
type Sites interface {
	List() []heatmap.Site
	Lookup(key string) (heatmap.Site, bool)
	Put(site heatmap.Site) error
}

// ExportFunc calls fn for every hit of the journal that q's site and range of time have, of each named source only
// those below its position (nil = all), until ctx ends or fn gives an error, which it returns.
type ExportFunc func(ctx context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error

// Options are the parts that a Server puts together. A route whose part is nil does not exist.
type Options struct {
	Reader Reader     // /v1/heatmap, /v1/elements, /v1/scroll, /v1/pages, /v1/trend
	Sites  Sites      // /v1/sites
	Export ExportFunc // /v1/export, with AppendLine

	Difference DifferenceFunc // minus_… of /v1/heatmap
	Timeline   TimelineFunc   // /v1/timeline

	Live       LiveReader // /v1/queries and what lies below
	LiveLimits LiveLimits // what that may cost

	// CanonicalWhere writes expressions that mean the same alike, so that who asks the same shares an answer that stays alive. Its
	// error is a *heatmap.ParamError. nil = as they are.
	CanonicalWhere func(text string) (string, error)

	Generations Generations // /v1/generations and what lies below

	// CountedZone gives the zone that the rules of the active generation name for a site, nil for none. nil = none for all.
	CountedZone func(site string) *time.Location

	// RefusedOrigins gives the origins whose hits of a site were refused lately because it does not list them. nil = none.
	RefusedOrigins func(site string) []string

	// AppendLine appends a hit as one line of the import format; a line break is added if it has none.
	AppendLine func(dst []byte, h *heatmap.Hit) []byte

	Bots    func() []string         // /v1/bots
	Schema  string                  // JSON Schema of rules: /v1/rules-schema.json; "" = none
	Import  fasthttp.RequestHandler // POST /v1/import; reads ctx.RequestBodyStream
	In      fasthttp.RequestHandler // POST and OPTIONS /v1/in; the same
	Metrics fasthttp.RequestHandler // /metrics

	Ready func() error  // nil error: ready; /readyz gives the error's text. nil = always ready
	Lag   func() uint64 // durable hits that answers do not hold yet, for /readyz

	// Around is put around the handling of every request that Serve takes, to measure it. nil = nothing.
	Around func(next fasthttp.RequestHandler) fasthttp.RequestHandler

	// Token opens everything: in the Authorization header, and at sign-in. "" refuses every request that needs it. What
	// an older token signed in or signed ends when it changes.
	Token string

	// PublicURL is where browsers reach the server, without a trailing slash, such as https://heat.example or
	// https://example.com/heat. "" = as each request says.
	PublicURL string

	// Key signs overlay tokens and sign-in tickets: at least 32 secret bytes. nil (or less) = made at start, so that they
	// end with the process.
	Key []byte

	Sessions SessionStore // keeps sessions across restarts; nil = in memory only

	// ClientIP tells whose request it is. It slows down who signs in with wrong tokens, and is never kept or logged.
	// nil = the other end of the connection.
	ClientIP func(*fasthttp.RequestCtx) netip.Addr

	Version string // of the program, for the app

	// Demo sends made visitors to the demo pages and gives the number of their hits: POST /v1/demo.
	Demo func(ctx context.Context) (hits int, err error)

	QueryTimeout time.Duration // for one answer of Reader, default 30 s
	ThinBytes    int           // memory of thinned points that are kept for those who ask for the same, default DefaultThinBytes
	MaxMaps      int           // maps that are thinned and written at a time, so that hits do not wait behind all who ask; default two a core
	MaxConns     int           // connections at a time, default 8192; one more gets a 503

	Logger *slog.Logger     // default discards
	Now    func() time.Time // default time.Now
}

// Server answers HTTP requests. Its methods are safe for concurrent use.
type Server struct {
	o       Options
	origin  string // of PublicURL, "" = unknown
	token   [sha256.Size]byte
	routes  map[string]*route
	http    *fasthttp.Server
	conns   *conns
	base    context.Context // of every query and export; ends when Shutdown gives up waiting
	cancel  context.CancelFunc
	ending  atomic.Bool // Shutdown has given up waiting
	exports sync.WaitGroup
	scratch sync.Pool // *[]byte, memory of answers
	thinned *thinCache

	pictures chan struct{} // places for those that are being drawn
	maps     chan struct{} // places for those that are being thinned and written

	live *live

	overlays *sealer // of overlay tokens
	resumes  *sealer // of what a stream goes on by
	tickets  *sealer // of sign-in tickets
	sessions *sessions
	throttle *throttle
	waiting  chan struct{}       // places for those who are made to wait after a wrong sign-in
	delay    func(time.Duration) // lets them wait
	demoRuns sync.Mutex          // held while made visitors are on their way
}

// New makes a server of its parts. It starts nothing; see Serve.
func New(o Options) *Server {
	if o.QueryTimeout <= 0 {
		o.QueryTimeout = 30 * time.Second
	}
	if o.MaxMaps <= 0 {
		o.MaxMaps = 2 * runtime.GOMAXPROCS(0)
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 8192
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ClientIP == nil {
		o.ClientIP = remoteIP
	}
	if o.ThinBytes <= 0 {
		o.ThinBytes = DefaultThinBytes
	}
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	s := &Server{o: o, origin: originOf(o.PublicURL), token: sha256.Sum256([]byte(o.Token)), conns: newConns(), pictures: make(chan struct{}, maxPictures), maps: make(chan struct{}, o.MaxMaps), thinned: newThinCache(o.ThinBytes)}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.openSignIn()
	s.live = newLive(s, o.LiveLimits)
	s.routes = s.makeRoutes()
	s.http = s.transport()
	return s
}
