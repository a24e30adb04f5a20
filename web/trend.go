package web

import (
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

func (s *Server) trend(ctx *fasthttp.RequestCtx) error {
	start := s.o.Now()
	q, err := parseTrendQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	a, err := s.o.Reader.Trend(c, q)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, func(o *object) { trendMembers(o, &q, a, s.since(start)) })
	return nil
}

func trendMembers(o *object, q *heatmap.Query, a *heatmap.Trend, took time.Duration) {
	zone := zoneOf(a)
	trendHead(o, q, a)
	o.key("buckets")
	o.dst = append(o.dst, '[')
	for i := range a.Buckets {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		bucketMembers(o, &a.Buckets[i], zone)
	}
	o.dst = append(o.dst, ']')
	trendSums(o, a)
	sampledMember(o, a.Sampled)
	tail(o, &a.Prefix, a.Why, took)
}

// trendHead writes what stands before the buckets, trendSums what stands behind them.
func trendHead(o *object, q *heatmap.Query, a *heatmap.Trend) {
	o.text("site", q.Site)
	o.text("url", a.Page)
	if q.Window > 0 {
		windowMembers(o, q)
	} else if a.Hourly {
		o.text("by", byHour)
	} else {
		o.text("by", byDay)
	}
	o.day("from", a.From, a.Dated)
	o.day("to", a.To, a.Dated)
	o.text("timezone", zoneOf(a).String())
}

func trendSums(o *object, a *heatmap.Trend) {
	o.count("hits", a.Hits)
	o.count("views", a.Views)
	o.count("visitors", a.Visitors)
}

func zoneOf(a *heatmap.Trend) *time.Location {
	if a.Zone == nil {
		return time.UTC
	}
	return a.Zone
}

func bucketMembers(o *object, b *heatmap.TrendBucket, zone *time.Location) {
	o.open()
	o.key("start")
	o.dst = appendTime(o.dst, b.Start, zone)
	bucketCounts(o, b, zone)
	o.close()
}

// bucketCounts writes what was counted in a bucket, and of a window its end.
func bucketCounts(o *object, b *heatmap.TrendBucket, zone *time.Location) {
	if b.End > 0 {
		o.key("end")
		o.dst = appendTime(o.dst, b.End, zone)
	}
	o.count("hits", b.Hits())
	o.count("views", b.Views)
	o.count("clicks", b.Clicks)
	o.count("scrolls", b.Scrolls)
	o.count("moves", b.Moves)
	o.count("rage", b.Rage)
	o.count("dead", b.Dead)
	o.count("visitors", b.Visitors)
}
