package replay

import (
	"fmt"
	"slices"

	"heatlog/heatmap"
)

// warnings are what whoever made a generation may not have meant: rules by which an older one counts already, and time zones
// of sites that there are not. The caller holds mu.
func (g *Generations) warnings(e *entry, n *generation) (all []string) {
	for _, other := range g.record.Generations {
		if other.ID == e.ID {
			break
		}
		if other.Spec == e.Spec && other.Scope.From == e.Scope.From && slices.Equal(other.Scope.Sites, e.Scope.Sites) && other.State != heatmap.StateFailed && other.SkipDamaged == e.SkipDamaged {
			all = append(all, fmt.Sprintf("its rules are the same as those of %s: both count the same", other.ID))
			break
		}
	}
	known := g.options.Index.KnownSite
	for _, site := range n.rules.Sites() {
		if known != nil && !known(site) {
			all = append(all, fmt.Sprintf("its rules name the site %s, which there is not: register it, or put its key right", site))
		}
	}
	return all
}
