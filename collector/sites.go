package collector

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
)

// Sites is the register of the sites that may send hits, kept in one JSON file. Looking up takes no lock. It is safe for
// concurrent use within one process.
type Sites struct {
	path  string
	mu    sync.Mutex // held by whoever changes the register
	table atomic.Pointer[siteTable]
}

// siteTable is what lookups read; it is never changed.
type siteTable struct {
	byKey   map[string]*siteEntry
	origins map[string]bool // of all sites
}

// siteEntry is one registered site.
type siteEntry struct {
	site heatmap.Site
	zone *time.Location
	used atomic.Bool // hits of it are in the journal, or may be
}

// SiteError says why a site cannot be registered. Code is bad_key, bad_origin, bad_timezone or zone_fixed, Field the
// name of the field in the API.
type SiteError struct{ Code, Field, Message string }

// Error gives the message.
func (e *SiteError) Error() string { return e.Message }

// Codes of SiteError.
const (
	CodeBadKey      = "bad_key"
	CodeBadOrigin   = "bad_origin"
	CodeBadTimezone = "bad_timezone"
	CodeZoneFixed   = "zone_fixed"
)

// Lookup gives the site with a key. Its Origins may not be changed.
func (s *Sites) Lookup(key string) (heatmap.Site, bool) {
	if e := s.table.Load().byKey[key]; e != nil {
		return e.site, true
	}
	return heatmap.Site{}, false
}

// find is Lookup for the collector.
func (s *Sites) find(key []byte) *siteEntry { return s.table.Load().byKey[string(key)] }

// Zone gives the time zone of a site, UTC for an unknown one.
func (s *Sites) Zone(key string) *time.Location {
	if e := s.table.Load().byKey[key]; e != nil {
		return e.zone
	}
	return time.UTC
}

// List gives all sites in the order of their keys.
func (s *Sites) List() []heatmap.Site {
	table := s.table.Load()
	list := make([]heatmap.Site, 0, len(table.byKey))
	for _, e := range table.byKey {
		list = append(list, e.site)
	}
	slices.SortFunc(list, func(a, b heatmap.Site) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// knowsOrigin reports whether any site lists origin.
func (s *Sites) knowsOrigin(origin []byte) bool { return s.table.Load().origins[string(origin)] }

// lists reports whether the site lists origin.
func (e *siteEntry) lists(origin []byte) bool {
	return slices.Contains(e.site.Origins, string(origin))
}

// Put registers a site, or gives a registered one other origins. Origins are normalised: lower case, no default port, no
// path. An empty Timezone is UTC for a new site and leaves a registered one as it is; the zone of a site that has hits
// cannot be changed. The site is on disk when Put returns. The error is a *SiteError if site is to blame.
func (s *Sites) Put(site heatmap.Site) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.table.Load().byKey[site.Key]
	if site.Timezone == "" {
		site.Timezone = "UTC"
		if old != nil {
			site.Timezone = old.site.Timezone
		}
	}
	e, err := newSiteEntry(site)
	if err != nil {
		return err
	}
	if old != nil {
		e.used.Store(old.used.Load())
		if e.used.Load() && e.site.Timezone != old.site.Timezone {
			return &SiteError{CodeZoneFixed, "timezone", fmt.Sprintf(
				"timezone of site %q is %s and fixed since its first hit, it cannot become %s; a new generation of rules can name another",
				site.Key, old.site.Timezone, e.site.Timezone)}
		}
	}
	return s.replace(e)
}

// MarkUsed notes on disk that a site has hits, which fixes its zone. It is called before the first hit is stored. For a
// site that is marked it costs a look at the register. The error is nil for an unknown site: there is nothing to fix.
func (s *Sites) MarkUsed(key string) error {
	if e := s.table.Load().byKey[key]; e == nil || e.used.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.table.Load().byKey[key]
	if old == nil || old.used.Load() {
		return nil
	}
	e := &siteEntry{site: old.site, zone: old.zone}
	e.used.Store(true)
	if err := s.replace(e); err != nil {
		return err
	}
	old.used.Store(true) // for those who hold it
	return nil
}

// replace writes the register with e in it and publishes it. s.mu is held.
func (s *Sites) replace(e *siteEntry) error {
	entries := []*siteEntry{e}
	for key, other := range s.table.Load().byKey {
		if key != e.site.Key {
			entries = append(entries, other)
		}
	}
	slices.SortFunc(entries, func(a, b *siteEntry) int { return strings.Compare(a.site.Key, b.site.Key) })
	if err := writeSites(s.path, entries); err != nil {
		return fmt.Errorf("write sites: %w", err)
	}
	s.table.Store(newSiteTable(entries))
	return nil
}

func newSiteTable(entries []*siteEntry) *siteTable {
	t := &siteTable{byKey: make(map[string]*siteEntry, len(entries)), origins: map[string]bool{}}
	for _, e := range entries {
		t.byKey[e.site.Key] = e
		for _, o := range e.site.Origins {
			t.origins[o] = true
		}
	}
	return t
}

// newSiteEntry checks a site and normalises it.
func newSiteEntry(site heatmap.Site) (*siteEntry, error) {
	if !heatmap.ValidSiteKey(site.Key) {
		return nil, &SiteError{CodeBadKey, "key", fmt.Sprintf("key is %.40q, want 1 to 32 of a-z, 0-9 and -", site.Key)}
	}
	origins := []string{} // written as [] where there is none
	for _, raw := range site.Origins {
		o, err := NormalOrigin(raw)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	site.Origins = origins
	zone, err := time.LoadLocation(site.Timezone)
	if err != nil || site.Timezone == "Local" || site.Timezone == "" {
		return nil, &SiteError{CodeBadTimezone, "timezone", fmt.Sprintf(
			"timezone is %.40q, want an IANA name such as Europe/Prague", site.Timezone)}
	}
	return &siteEntry{site: site, zone: zone}, nil
}

// NormalOrigin gives an origin as browsers write it in their Origin header: lower case, no default port, no slash. The
// error is a *SiteError.
func NormalOrigin(raw string) (string, error) {
	bad := func(why string) (string, error) {
		return "", &SiteError{CodeBadOrigin, "origins", fmt.Sprintf("origin is %.80q, %s", raw, why)}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return bad("want scheme://host or scheme://host:port with http or https")
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || strings.ContainsAny(raw, "?#") {
		return bad("want no more than scheme, host and port")
	}
	host := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
	} else if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return bad("want a host of letters, digits, dashes and dots; other scripts in their xn-- form")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := u.Port()
	if port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		return u.Scheme + "://" + host, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return bad("want a port of 1 to 65535")
	}
	return u.Scheme + "://" + host + ":" + port, nil
}
