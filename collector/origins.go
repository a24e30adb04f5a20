package collector

import (
	"slices"
	"strings"
	"sync"
)

// maxRefused is how many refused origins of a site are remembered.
const maxRefused = 5

// refusals remembers from where hits of a site came that were refused because their origin is not listed: most often the
// site's owner has forgotten one. It is safe for concurrent use.
type refusals struct {
	mu     sync.Mutex
	bySite map[string][]string // newest first
}

// note remembers an origin of a registered site, if it is one that could be listed.
func (r *refusals) note(site string, origin []byte) {
	o, err := NormalOrigin(string(origin))
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.bySite[site]
	if len(list) > 0 && list[0] == o {
		return
	}
	if r.bySite == nil {
		r.bySite = map[string][]string{}
	}
	list = append([]string{o}, slices.DeleteFunc(slices.Clone(list), func(known string) bool { return known == o })...)
	r.bySite[site] = list[:min(len(list), maxRefused)]
}

// RefusedOrigins gives the origins whose hits of a site were refused since the start because the site does not list them,
// newest first, at most five.
func (c *Collector) RefusedOrigins(site string) []string {
	e := c.o.Sites.find([]byte(site))
	if e == nil {
		return nil
	}
	c.refused.mu.Lock()
	defer c.refused.mu.Unlock()
	list := slices.Clone(c.refused.bySite[site])
	return slices.DeleteFunc(list, func(o string) bool { return slices.Contains(e.site.Origins, o) })
}

// listsPage reports whether the site lists the origin of a page's URL.
func (e *siteEntry) listsPage(url string) bool {
	start := schemeLen(url)
	end := authorityEnd(url, start)
	if start == 0 || slices.Contains(e.site.Origins, url[:end]) {
		return start > 0
	}
	host := url[start:end]
	origin, err := NormalOrigin(url[:start] + host[strings.LastIndexByte(host, '@')+1:])
	return err == nil && slices.Contains(e.site.Origins, origin)
}
