package index

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// Base says which hits a generation does not count, because documents that hold them were carried over from another
// generation: see the package comment. It is made by [Index.NewBase] and stored as JSON. The zero value carries nothing.
type Base struct {
	Generation string            `json:"generation"`         // that documents are carried over from
	Source     string            `json:"source,omitzero"`    // of whose hits Generation counted more meanwhile; "" = nothing is carried but Whole
	Positions  map[string]uint64 `json:"positions,omitzero"` // by source: hits from there on are counted anew, whatever their day; nil until the documents are copied
	Kept       map[string]uint64 `json:"kept,omitzero"`      // by source: the first position that was kept when the generation began
	Whole      []string          `json:"whole,omitzero"`     // sources that are not there, or have lost their end or everything: their documents are carried over as they are
	Sites      []string          `json:"sites,omitzero"`     // hits of all other sites are carried; empty = of none for that reason
	From       string            `json:"from,omitzero"`      // YYYY-MM-DD: hits of days before it are carried; "" = none for that reason
	Stays      bool              `json:"stays,omitzero"`     // carried documents have hits of sources that cannot be read any more: a later generation must carry them too
	Zones      map[string]string `json:"zones,omitzero"`     // time zones that the rules of Generation name, by site
	Cell       int               `json:"cell,omitzero"`      // of what is carried, px: the largest
	Base       *Base             `json:"base,omitzero"`      // of Generation, while hits that it names can be read
}

// Empty reports whether nothing is carried.
func (b *Base) Empty() bool { return b == nil || !b.carries() && len(b.Whole) == 0 }

// carries reports whether there are hits that can be read and are carried all the same.
func (b *Base) carries() bool { return b != nil && (b.From != "" || len(b.Sites) > 0) }

// isWhole reports whether a source is carried over as it is.
func (b *Base) isWhole(source string) bool { return b != nil && slices.Contains(b.Whole, source) }

// anew is what of the sources that can be read is counted anew.
func (b *Base) anew() (s heatmap.Scope) {
	if b != nil {
		s.Sites, s.From = b.Sites, b.From
	}
	return s
}

// carriedPrefix begins the names of the sources under which carried documents are stored. No journal is called like that.
const carriedPrefix = "carried."

// CarriedSource names the source under which a generation stores the documents that it has from another one.
func CarriedSource(from string) string { return carriedPrefix + from }

func isCarried(source string) bool { return strings.HasPrefix(source, carriedPrefix) }

// Carried tells which hits of one source are carried. It is not safe for concurrent use. A nil one carries nothing.
type Carried struct {
	below  uint64 // position
	before heatmap.Date
	sites  map[string]bool // nil = all are counted anew
	zone   func(site string) *time.Location
	of     *Carried // of the base

	dates dateCache
	site  string // of the last hit, and what it has in common with the next
	loc   *time.Location
	salt  uint64
}

// Carried makes what tells the carried hits of a source. Zone gives the time zone of a site that no rules name, as
// [Options.Zone] does.
func (b *Base) Carried(source string, zone func(site string) *time.Location) (*Carried, error) {
	if b == nil || !b.carries() || b.Positions[source] == 0 {
		return nil, nil
	}
	zones, err := loadZones(b.Zones)
	if err != nil {
		return nil, err
	}
	c := &Carried{below: b.Positions[source], zone: func(site string) *time.Location {
		if loc := zones[site]; loc != nil {
			return loc
		}
		return zone(site)
	}}
	if c.before, c.sites, err = b.scope(); err != nil {
		return nil, err
	}
	c.of, err = b.Base.Carried(source, zone)
	return c, err
}

func loadZones(names map[string]string) (map[string]*time.Location, error) {
	zones := make(map[string]*time.Location, len(names))
	for site, name := range names {
		loc, err := time.LoadLocation(name)
		if err != nil {
			return nil, fmt.Errorf("zone of site %s: %w", site, err)
		}
		zones[site] = loc
	}
	return zones, nil
}

// scope gives the day before which hits are carried, and the sites that are counted anew, nil = all.
func (b *Base) scope() (before heatmap.Date, sites map[string]bool, err error) {
	if b.From != "" {
		if before, err = heatmap.ParseDate(b.From); err != nil {
			return 0, nil, fmt.Errorf("read base: %w", err)
		}
	}
	for _, site := range b.Sites {
		if sites == nil {
			sites = make(map[string]bool)
		}
		sites[site] = true
	}
	return before, sites, nil
}

// Holds reports whether a hit is carried: it lies below the position up to which documents hold hits, and the generation
// that they are from had it at a site or on a day that is not counted anew.
func (c *Carried) Holds(ev *Event) bool {
	if c == nil || ev.Position >= c.below {
		return false
	}
	return c.sites != nil && !c.sites[ev.Hit.Site] || c.date(ev) < c.before
}

// date gives the day on which the generation that documents are from has a hit.
func (c *Carried) date(ev *Event) heatmap.Date {
	if c.of.Holds(ev) {
		return c.of.date(ev)
	}
	if site := ev.Hit.Site; c.loc == nil || site != c.site {
		if c.loc = c.zone(site); c.loc == nil {
			c.loc = time.UTC
		}
		c.site, c.salt = strings.Clone(site), xxhash.Sum64String(c.loc.String())
	}
	return c.dates.date(ev.Hit.Time, c.loc, c.salt)
}

// zoneNames gives the time zones that the rules name, by site.
func (r *Rules) zoneNames() map[string]string {
	if len(r.zones) == 0 {
		return nil
	}
	names := make(map[string]string, len(r.zones))
	for site, loc := range r.zones {
		names[site] = loc.String()
	}
	return names
}

// join adds to what is carried what another base carries.
func (b *Base) join(o *Base) error {
	b.From = max(b.From, o.From)
	switch {
	case len(o.Sites) == 0:
	case len(b.Sites) == 0:
		b.Sites = o.Sites
	default:
		asked := b.Sites
		b.Sites = slices.DeleteFunc(slices.Clone(asked), func(site string) bool { return !slices.Contains(o.Sites, site) })
		if len(b.Sites) == 0 {
			return &heatmap.ParamError{Field: "sites", Message: fmt.Sprintf("nothing of %s can be counted anew: generation %s has it from journals that are not there any more", strings.Join(asked, ", "), b.Generation)}
		}
	}
	return nil
}
