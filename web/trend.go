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
	zone := a.Zone
	if zone == nil {
		zone = time.UTC
	}
	by := byDay
	if a.Hourly {
		by = byHour
	}
	o.text("site", q.Site)
	o.text("url", a.Page)
	o.text("by", by)
	o.day("from", a.From, a.Dated)
	o.day("to", a.To, a.Dated)
	o.text("timezone", zone.String())
	o.key("buckets")
	o.dst = append(o.dst, '[')
	for i := range a.Buckets {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		bucketMembers(o, &a.Buckets[i], zone)
	}
	o.dst = append(o.dst, ']')
	o.count("hits", a.Hits)
	o.count("views", a.Views)
	o.count("visitors", a.Visitors)
	sampledMember(o, a.Sampled)
	tail(o, &a.Prefix, a.Why, took)
}

func bucketMembers(o *object, b *heatmap.TrendBucket, zone *time.Location) {
	o.open()
	o.key("start")
	o.dst = append(o.dst, '"')
	o.dst = time.UnixMilli(b.Start).In(zone).AppendFormat(o.dst, "2006-01-02T15:04:05-07:00")
	o.dst = append(o.dst, '"')
	o.count("hits", b.Hits())
	o.count("views", b.Views)
	o.count("clicks", b.Clicks)
	o.count("scrolls", b.Scrolls)
	o.count("moves", b.Moves)
	o.count("rage", b.Rage)
	o.count("dead", b.Dead)
	o.count("visitors", b.Visitors)
	o.close()
}
