package index

import "time"

const hourMillis = 3_600_000

// hourSpan is an hour as the clocks of a zone show it: a span of time in which they keep one offset and one hour. Where they
// change by part of an hour, one is shorter than 60 minutes.
type hourSpan struct {
	zone     *time.Location
	from, to int64 // Unix ms, from ≤ t < to
}

// newHourSpan gives the hour of a Unix time in ms, which is not before 1970.
func newHourSpan(ms int64, zone *time.Location) hourSpan {
	t := time.UnixMilli(ms).In(zone)
	_, offset := t.Zone()
	local := ms + int64(offset)*1000
	h := hourSpan{zone: zone, from: local - local%hourMillis - int64(offset)*1000}
	h.to = h.from + hourMillis
	start, end := t.ZoneBounds()
	if !start.IsZero() && offsetChanges(start) {
		h.from = max(h.from, start.UnixMilli())
	}
	if !end.IsZero() && offsetChanges(end) {
		h.to = min(h.to, end.UnixMilli())
	}
	return h
}

// offsetChanges tells a change of the clocks from one of the zone's name alone.
func offsetChanges(at time.Time) bool {
	_, before := at.Add(-time.Second).Zone()
	_, after := at.Zone()
	return before != after
}

// hourCache gives the starts of hours without asking the time zone for every hit. The zero value is ready; not safe for
// concurrent use.
type hourCache struct {
	spans [64]hourSpan
}

// start is the first instant of the hour of ms.
func (c *hourCache) start(ms int64, zone *time.Location) int64 {
	s := &c.spans[uint64(ms)/(hourMillis/2)%uint64(len(c.spans))]
	if s.zone != zone || ms < s.from || ms >= s.to {
		*s = newHourSpan(ms, zone)
	}
	return s.from
}
