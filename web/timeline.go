package web

import (
	"context"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// TimelineFunc answers a query for when a page was clicked where. Its errors are those of Reader.
type TimelineFunc func(ctx context.Context, q heatmap.Query) (*heatmap.Timeline, error)

// rfc3339 is how instants are written: to the second, with the zone's offset also where that is UTC.
const rfc3339 = "2006-01-02T15:04:05-07:00"

func (s *Server) timeline(ctx *fasthttp.RequestCtx) error {
	start := s.o.Now()
	q, err := parseTimelineQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	a, err := s.o.Timeline(c, q)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, func(o *object) { timelineMembers(o, &q, a, s.since(start)) })
	return nil
}

func timelineMembers(o *object, q *heatmap.Query, a *heatmap.Timeline, took time.Duration) {
	zone := a.Zone
	if zone == nil {
		zone = time.UTC
	}
	dated := a.Steps > 0
	o.text("site", q.Site)
	o.text("url", a.Page)
	o.text("kind", q.Kind.String())
	o.day("from", a.From, dated)
	o.day("to", a.To, dated)
	o.text("timezone", zone.String())
	o.key("start")
	o.dst = appendTime(o.dst, a.Start, zone)
	o.count("step_ms", uint64(a.Step))
	o.count("steps", uint64(a.Steps))
	o.count("cell", uint64(a.Cell))
	o.count("hits", a.Hits)
	o.key("frames")
	o.dst = append(o.dst, '[')
	for i := range a.Frames {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = strconv.AppendInt(append(o.dst, '['), int64(a.Frames[i].Step), 10)
		o.dst = append(appendPoints(append(o.dst, ','), a.Frames[i].Points), ']')
	}
	o.dst = append(o.dst, ']')
	tail(o, &a.Prefix, a.Why, took)
}

// appendTime appends an instant, Unix ms, as a JSON string.
func appendTime(dst []byte, ms int64, zone *time.Location) []byte {
	dst = append(dst, '"')
	dst = time.UnixMilli(ms).In(zone).AppendFormat(dst, rfc3339)
	return append(dst, '"')
}
