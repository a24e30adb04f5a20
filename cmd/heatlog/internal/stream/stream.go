package stream

import (
	"fmt"
	"time"

	"heatlog/heatmap"
)

// MaxLate is how long after it happened a hit arrives at most.
const MaxLate = 70 * time.Second

// Options of a Stream; the zero value works.
type Options struct {
	Seed        uint64 // equal seeds give equal streams
	Sites       int    // default 20, 1 to Pages
	Pages       int    // of all sites, default 2,000, at most 1,000,000
	Days        int    // default 120
	Hits        uint64 // that are spread over Days, default 1,000,000; the stream goes on at the same rate afterwards
	HitsPerView int    // mean, default 10, 2 to 200
	Start       int64  // Unix ms of the first day's begin, default 2026-01-01 UTC
	Mix         Mix    // default 6 clicks, 3 scrolls, 1 move
}

// Mix is the proportion of the hits that are not views. A view has one scroll at least.
type Mix struct {
	Clicks, Scrolls, Moves int
}

func (o Options) withDefaults() Options {
	orDefault := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orDefault(&o.Sites, 20)
	orDefault(&o.Pages, 2000)
	orDefault(&o.Days, 120)
	orDefault(&o.HitsPerView, 10)
	o.Pages = min(o.Pages, 1_000_000)
	o.Sites = min(o.Sites, o.Pages)
	o.HitsPerView = min(max(o.HitsPerView, 2), 200)
	if o.Hits == 0 {
		o.Hits = 1_000_000
	}
	if o.Start == 0 {
		o.Start = 1_767_225_600_000
	}
	if o.Mix == (Mix{}) {
		o.Mix = Mix{6, 3, 1}
	}
	return o
}

// Stream makes batches. It is not safe for concurrent use.
type Stream struct {
	o        Options
	rng      *random
	sites    []site
	pages    []page
	sums     []uint64 // cumulated weights of pages
	dwell    *logNormal
	spotOf   [256]uint8 // draws a hot spot
	kinds    [3]int     // cumulated shares of clicks, scrolls and moves behind the first scroll
	interval int64      // mean between the begins of sessions, ns

	now      int64     // arrival of the batch given last, Unix ms
	arrival  int64     // begin of the next session, ns since Start
	day      int64     // of arrival
	people   uint64    // so far
	today    uint64    // people before this day
	views    uint64    // so far
	sessions []session // those under way, and free ones
	free     []int32   // indexes of free sessions
	queue    queue     // those under way by the arrival of their next batch
}

// New lays out sites and pages and gives a stream at its begin.
func New(o Options) *Stream {
	o = o.withDefaults()
	s := &Stream{o: o, rng: newRandom(o.Seed, 1), sums: zipf(o.Pages), dwell: newLogNormal(2500), now: o.Start}
	s.sites, s.pages = makeSites(o)
	sessions := max(o.Hits*100/uint64(o.HitsPerView*meanViews), 1)
	s.interval = max(int64(uint64(o.Days)*uint64(24*time.Hour)/sessions), 1)
	s.fillSpots()
	s.fillKinds()
	return s
}

// fillSpots gives spot i a share proportional to 1/(i+3).
func (s *Stream) fillSpots() {
	total := 0
	for i := range spots {
		total += 1 << 20 / (i + 3)
	}
	sum, at := 0, 0
	for i := range spots {
		sum += 1 << 20 / (i + 3)
		for ; at < 256 && at*total < sum*256; at++ {
			s.spotOf[at] = uint8(i)
		}
	}
}

// fillKinds shares out what a view has besides the view hit and the first scroll, so that all together have the Mix.
func (s *Stream) fillKinds() {
	m, rest := s.o.Mix, 1000*(s.o.HitsPerView-1)
	total := max(m.Clicks+m.Scrolls+m.Moves, 1)
	s.kinds[0] = rest * m.Clicks / total
	s.kinds[1] = s.kinds[0] + max(rest*m.Scrolls/total-1000, 0)
	s.kinds[2] = max(s.kinds[1]+rest*m.Moves/total, 1)
}

// Next makes b the next batch. It reuses b.Hits; the strings stay valid. All hits are of one view, ascending in time, and
// lie before Time, by MaxLate at most.
func (s *Stream) Next(b *heatmap.Batch) {
	for len(s.queue) == 0 || s.arrival/int64(time.Millisecond) <= s.queue[0].at-s.o.Start {
		s.begin()
	}
	e := &s.sessions[s.queue[0].slot]
	s.now = e.at
	s.fill(b, e)
	if s.goOn(e) {
		s.queue[0].at = e.at
		s.queue.down(0)
		return
	}
	s.free = append(s.free, s.queue.pop())
}

// Time is when the batch that Next gave last arrives at the server, Unix ms; it never decreases.
func (s *Stream) Time() int64 { return s.now }

// Sites lists the sites as they have to be registered.
func (s *Stream) Sites() []heatmap.Site {
	sites := make([]heatmap.Site, len(s.sites))
	for i := range sites {
		sites[i] = heatmap.Site{Key: s.sites[i].key, Origins: []string{fmt.Sprintf("https://www.%d.example", i)}, Timezone: "UTC"}
	}
	return sites
}

// Page gives the site and the URL of page i, 0 being the one with most views. Its normalised URL is the same.
func (s *Stream) Page(i int) (site, url string) {
	p := &s.pages[i]
	return s.sites[p.site].key, p.urls[0]
}

// queue is a heap of the sessions under way.
type queue []entry

type entry struct {
	at   int64 // arrival of the session's next batch, Unix ms
	slot int32 // its place in Stream.sessions
}

func (q queue) less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].slot < q[j].slot
}

func (q *queue) push(e entry) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0 && h.less(i, (i-1)/2); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

// pop removes the first entry and gives its slot.
func (q *queue) pop() int32 {
	h := *q
	slot := h[0].slot
	h[0] = h[len(h)-1]
	*q = h[:len(h)-1]
	q.down(0)
	return slot
}

// down restores the order after the i-th entry grew.
func (q queue) down(i int) {
	for {
		next := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q); child++ {
			if q.less(child, next) {
				next = child
			}
		}
		if next == i {
			return
		}
		q[i], q[next] = q[next], q[i]
		i = next
	}
}
