package demo

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
)

// Options say who comes. Only Origin has no default.
type Options struct {
	// Origin is where visitors reach the server, as https://shop.example; a path is kept. The shop is below it at /demo/.
	Origin string

	Site     string    // key of the site, default demo
	Visitors int       // how many come, default 300
	Days     int       // how many days before Now the first comes at the earliest, default 7
	Seed     uint64    // equal seeds give equal visitors
	Now      time.Time // when the last hit may be; its zone says when it is night; default time.Now
}

func (o Options) withDefaults() Options {
	o.Origin = strings.TrimRight(o.Origin, "/")
	o.Site = cmp.Or(o.Site, "demo")
	o.Visitors = cmp.Or(o.Visitors, 300)
	o.Days = cmp.Or(o.Days, 7)
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	return o
}

// arrival says when a visitor comes.
type arrival struct {
	at      int64 // Unix ms
	visitor uint64
}

// Lines gives the visitors' hits as lines of POST /v1/import, each with its newline, one visit after the other by when it
// began. A line is valid until the next is asked for.
func Lines(o Options) iter.Seq[[]byte] {
	o = o.withDefaults()
	return func(yield func([]byte) bool) {
		shop := Boxes()
		var line []byte
		for _, a := range arrivals(o) {
			v := newVisit(o, shop, a)
			for i := range v.run() {
				line = stream.AppendLines(line[:0], &heatmap.Batch{Hits: v.hits[i : i+1]})
				if !yield(line) {
					return
				}
			}
		}
	}
}

// arrivals gives the visitors in the order of their coming.
func arrivals(o Options) []arrival {
	list := make([]arrival, 0, o.Visitors)
	for i := range uint64(o.Visitors) {
		list = append(list, arrival{newRandom(o.Seed, 1<<40+i).arrival(o), i})
	}
	slices.SortFunc(list, func(a, b arrival) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.visitor, b.visitor)) })
	return list
}

// arrival draws when somebody comes: any time, but seldom at night.
func (r *random) arrival(o Options) int64 {
	span := int64(o.Days) * 24 * 3600
	for {
		ago := time.Duration(1+int64(r.Uint64()>>32)*span>>32) * time.Second
		at := o.Now.Add(-ago).Add(time.Duration(r.below(1000)) * time.Millisecond)
		if r.below(1000) < hours[at.Hour()] {
			return at.UnixMilli()
		}
	}
}

// id gives an id of so many digits that depends on the seed and what it is of.
func id(seed, what uint64, digits int) string {
	return fmt.Sprintf("%016x", mix(mix(seed)^mix(what)))[:digits]
}
