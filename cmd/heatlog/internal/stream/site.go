package stream

import (
	"fmt"

	"heatlog/heatmap"
)

const (
	spots      = 40   // hot spots of a page
	fixedSpots = 3    // the first of them, in a fixed header
	header     = 64   // height of the fixed header, px
	column     = 1200 // greatest width of the content, px
)

// page is a page of a site, laid out in shares of its column's width and of its height.
type page struct {
	site   int
	urls   [4]string // plain, and with parameters that a campaign adds
	layout uint32
	height int // px on a desktop
	spots  [spots]spot
}

// spot is an element that is often clicked.
type spot struct {
	selector string
	x, y     int // left and top, in 65536ths of the column and of the page
	w        int // in 65536ths of the column
	h        int // px
	check    uint16
}

// site is a site with the pages that belong to it.
type site struct {
	key   string
	pages []int32  // ascending
	sums  []uint64 // cumulated weights of pages
	tags  [][]string
}

// makeSites lays out all pages.
func makeSites(o Options) ([]site, []page) {
	sites, pages := make([]site, o.Sites), make([]page, o.Pages)
	for i := range sites {
		sites[i].key = fmt.Sprintf("site-%d", i)
		if i%3 == 0 {
			sites[i].tags = [][]string{{"variant:a"}, {"variant:b"}}
		}
	}
	last := uint64(0)
	for i, sum := range zipf(o.Pages) {
		s := &sites[i%o.Sites]
		total := sum - last
		if n := len(s.sums); n > 0 {
			total += s.sums[n-1]
		}
		s.pages, s.sums = append(s.pages, int32(i)), append(s.sums, total)
		pages[i] = makePage(o.Seed, i, i%o.Sites)
		last = sum
	}
	return sites, pages
}

func makePage(seed uint64, i, site int) page {
	r := newRandom(seed, 1<<40+uint64(i))
	p := page{site: site, layout: uint32(r.Uint64()) | 1, height: r.between(1200, 6000)}
	url := fmt.Sprintf("https://www.%d.example/%s/%d", site, []string{"products", "blog", "help", "category"}[r.below(4)], i)
	if i < site+1 { // the first page of each site
		url = fmt.Sprintf("https://www.%d.example/", site)
	}
	p.urls = [4]string{url, url + "?utm_source=newsletter&utm_medium=email", url + "?gclid=Cj0KCQiA" + fmt.Sprint(i), url + "?utm_source=social"}
	first := r.below(len(selectors))
	for j := range p.spots {
		p.spots[j] = makeSpot(r, selectors[(first+j)%len(selectors)], j)
	}
	return p
}

func makeSpot(r *random, selector string, j int) spot {
	s := spot{selector: selector, w: r.between(3000, 20000), h: r.between(24, 90), check: uint16(r.Uint64())}
	s.x = r.below(65536 - s.w)
	s.y = min(r.below(65000), r.below(65000)) // more of them above
	if j < fixedSpots {
		s.x, s.y, s.w, s.h = j*20000, 0, 9000, 40
	}
	return s
}

// documentHeight is the page's height on a device, px.
func (p *page) documentHeight(k heatmap.Device) int {
	return p.height * [...]int{heatmap.Desktop: 4, heatmap.Tablet: 5, heatmap.Mobile: 7}[k] / 4
}
