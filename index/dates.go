package index

import (
	"time"

	"heatlog/heatmap"
)

const dayMillis = 86_400_000

// dateCache gives civil days without asking the time zone for every hit. An entry holds a span of time in which a zone
// keeps one offset and one day, so it is exact for zones of any offset and for days that a change of the offset visits
// twice. The zero value is ready; not safe for concurrent use.
type dateCache struct {
	spans [64]dateSpan
}

type dateSpan struct {
	zone     *time.Location
	from, to int64 // Unix ms, from ≤ t < to
	date     heatmap.Date
}

// date gives the same as heatmap.DateOf. salt spreads zones over the cache.
func (c *dateCache) date(ms int64, zone *time.Location, salt uint64) heatmap.Date {
	s := &c.spans[(uint64(ms)/(dayMillis/2)+salt)%uint64(len(c.spans))]
	if s.zone != zone || ms < s.from || ms >= s.to {
		*s = newDateSpan(ms, zone)
	}
	return s.date
}

func newDateSpan(ms int64, zone *time.Location) dateSpan {
	t := time.UnixMilli(ms).In(zone)
	_, offset := t.Zone()
	date := heatmap.DateOf(ms, zone)
	s := dateSpan{zone: zone, date: date}
	s.from = int64(date)*dayMillis - int64(offset)*1000
	s.to = s.from + dayMillis
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		s.from = max(s.from, start.UnixMilli())
	}
	if !end.IsZero() {
		s.to = min(s.to, end.UnixMilli())
	}
	return s
}
