package replay

import (
	"context"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

// MaxGenerations is how many generations there are at most at a time, failed ones among them: each takes memory, disk and
// its part of the work of every hit.
const MaxGenerations = 4

// Options say where generations read and store. Index.Store and Sources are needed.
type Options struct {
	// Index holds what all generations have in common. Source, Frozen, Rules, Generation and what concerns a replay are set
	// for each.
	Index index.Options

	// Sources gives the source that hits are added to and the frozen ones before it. Damaged is as in index.JournalSource;
	// nil means that the generation ends reading at damage, unless the operator has said otherwise for all.
	Sources func(damaged func(*journal.CorruptError)) (index.Source, []index.Source)

	Rules     *index.Rules // of the first generation of an empty store, and to compare with the active one's; nil = none were given
	RulesText string       // of Rules, as it was given

	ReplayBytes int64         // memory of deltas of a generation while it is built, default 256 MiB
	KeepRetired time.Duration // how long a generation goes on after another was switched to, default 24 h

	// Verify compares a generation with the active one. An error, or a report with problems, makes it fail. nil = nothing is
	// compared.
	Verify func(ctx context.Context, v Verification) (*heatmap.Report, error)
}

// Verification is what Options.Verify is to compare.
type Verification struct {
	Store              index.Store
	ID, ActiveID       string
	Generation         *index.Index
	Active             *index.Index
	Rules, ActiveRules *index.Rules
}
