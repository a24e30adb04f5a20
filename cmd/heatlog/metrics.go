package main

import (
	"bytes"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// metricAccepted is the name of the count that the import's progress follows.
const metricAccepted = "heatlog_hits_accepted_total"

// latencyBuckets are the upper bounds of the request histograms, seconds.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// routes are the paths that requests are counted by, those below them among them; all others share one.
var routes = [...]string{
	"/v1/in", "/v1/import", "/v1/export", "/v1/heatmap", "/v1/scroll", "/v1/elements", "/v1/pages", "/v1/trend", "/v1/timeline", "/v1/queries", "/v1/sites", "/v1/bots",
	"/v1/session", "/v1/generations", "/v1/overlay-links", "/v1/demo", "/v1/openapi.json", "/hl.js", "/hl-view.js", "/signin", "/healthz", "/readyz",
	"/metrics",
}

const otherRoute = "other"

// metrics are the counts of the server itself; those of the packages are read when somebody asks.
type metrics struct {
	registry *prometheus.Registry
	routes   map[string]*routeMetrics // never changes
}

// routeMetrics counts the requests of one route. Its counters are made beforehand, so that a request looks up none.
type routeMetrics struct {
	byStatus [6]prometheus.Counter // by the status' first digit
	latency  prometheus.Observer
}

// newMetrics makes the registry with everything that the process says of itself.
func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), routes: map[string]*routeMetrics{}}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "heatlog_http_requests_total", Help: "Requests answered, by route and class of status.",
	}, []string{"route", "status"})
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "heatlog_http_request_seconds", Help: "Time from a request's header to its answer, by route.",
		Buckets: latencyBuckets,
	}, []string{"route"})
	m.registry.MustRegister(requests, latency, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, route := range append(routes[:], otherRoute) {
		r := &routeMetrics{latency: latency.WithLabelValues(route)}
		for class := 1; class < len(r.byStatus); class++ {
			r.byStatus[class] = requests.WithLabelValues(route, strconv.Itoa(class)+"xx")
		}
		m.routes[route] = r
	}
	return m
}

// route gives the counts for a path: those of the route that it is or lies below.
func (m *metrics) route(path []byte) *routeMetrics {
	for {
		if r, ok := m.routes[string(path)]; ok {
			return r
		}
		i := bytes.LastIndexByte(path, '/')
		if i <= 0 {
			return m.routes[otherRoute]
		}
		path = path[:i]
	}
}

// measure counts the requests that next answers.
func (m *metrics) measure(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		r := m.route(ctx.Path())
		next(ctx)
		if class := ctx.Response.StatusCode() / 100; class >= 1 && class < len(r.byStatus) {
			r.byStatus[class].Inc()
		}
		r.latency.Observe(time.Since(ctx.Time()).Seconds())
	}
}

// handler answers /metrics.
func (m *metrics) handler() fasthttp.RequestHandler {
	return fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}

// reading is one number that a package keeps, read when somebody asks.
type reading struct {
	name, help string
	labels     []string // name, value, name, value …
	counter    bool     // it only grows
	value      float64
}

// statsCollector turns what read gives into metrics. The set of names may differ from one call to the next.
type statsCollector struct {
	read func(emit func(reading))
}

// Describe describes nothing: the readings differ in labels from time to time.
func (c *statsCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the numbers.
func (c *statsCollector) Collect(ch chan<- prometheus.Metric) {
	c.read(func(r reading) {
		var names, values []string
		for i := 0; i+1 < len(r.labels); i += 2 {
			names, values = append(names, r.labels[i]), append(values, r.labels[i+1])
		}
		kind := prometheus.GaugeValue
		if r.counter {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(r.name, r.help, names, nil), kind, r.value, values...)
	})
}
