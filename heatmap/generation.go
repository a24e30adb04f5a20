package heatmap

import (
	"fmt"
	"slices"
	"time"
)

// State is where a generation stands on its way from a replay to the one that answers.
type State string

// States of a generation. It moves only as CanMove says.
const (
	StateBuilding   State = "building"    // reads what the journal held when it was started
	StateCatchingUp State = "catching-up" // reads what came since
	StateVerifying  State = "verifying"   // stands still while it is compared with the active one and the journal
	StateReady      State = "ready"       // follows the journal and can be activated
	StateActive     State = "active"      // answers what names no generation; there is exactly one
	StateRetired    State = "retired"     // was active; follows the journal until it is dropped
	StateFailed     State = "failed"      // will never be ready; kept for its reason until it is dropped
)

// States gives all states.
func States() []State {
	return []State{StateBuilding, StateCatchingUp, StateVerifying, StateReady, StateActive, StateRetired, StateFailed}
}

// stateMoves are the states that follow on each. Dropping is no state: what is dropped is gone from every list.
var stateMoves = map[State][]State{
	StateBuilding:   {StateCatchingUp, StateFailed},
	StateCatchingUp: {StateVerifying, StateFailed},
	StateVerifying:  {StateReady, StateFailed},
	StateReady:      {StateActive},
	StateActive:     {StateRetired},
	StateRetired:    {StateActive},
	StateFailed:     {},
}

// CanMove reports whether a generation may go from one state to another.
func (s State) CanMove(to State) bool { return slices.Contains(stateMoves[s], to) }

// CanPause reports whether a generation in this state can be paused and resumed.
func (s State) CanPause() bool { return s == StateBuilding || s == StateCatchingUp }

// CanDrop reports whether a generation in this state can be dropped: all but the active one.
func (s State) CanDrop() bool { return s != StateActive }

// Answers reports whether a generation in this state may be asked. One that is still read from the journal is not: its
// answers would be of months ago.
func (s State) Answers() bool { return s != StateBuilding && s != StateFailed }

// StateError says that what was asked of a generation does not go in the state that it is in.
type StateError struct {
	ID      string
	State   State // "" if it is about no generation in particular
	Message string
}

// Error names the generation and its state.
func (e *StateError) Error() string {
	if e.ID == "" {
		return e.Message
	}
	return fmt.Sprintf("generation %s is %s: %s", e.ID, e.State, e.Message)
}

// Replay says what a new generation is to be.
type Replay struct {
	Rules       string   `json:"rules"`                 // YAML as in a rules file, "" = the default rules
	Sites       []string `json:"sites,omitzero"`        // only these are counted anew, the rest is carried over from the active generation; empty = all
	From        Date     `json:"-"`                     // only days from this one on are counted anew; 0 = all
	Activate    bool     `json:"activate,omitzero"`     // switch to it when it is ready
	SkipDamaged bool     `json:"skip_damaged,omitzero"` // go on behind damage in the journal, and count the loss
}

// Scope is what part of the journal a generation counts anew; it has the rest from another one. The zero value is everything.
type Scope struct {
	Sites []string `json:"sites,omitzero"` // sorted; empty = all
	From  string   `json:"from,omitzero"`  // YYYY-MM-DD, the local date of the site; "" = all
}

// All reports whether the scope leaves nothing out.
func (s Scope) All() bool { return len(s.Sites) == 0 && s.From == "" }

// Generation is a set of counts of the whole journal by one set of rules, as it is now.
type Generation struct {
	ID          string    `json:"id"` // g1, g2, …; never given twice
	State       State     `json:"state"`
	Paused      bool      `json:"paused,omitzero"`
	Reason      string    `json:"reason,omitzero"`     // why it failed
	Warnings    []string  `json:"warnings,omitzero"`   // what may not have been meant: rules that another one has, a site that there is not
	Spec        string    `json:"spec"`                // first 16 hex digits of the SHA-256 of the rules' canonical text
	Rules       string    `json:"rules,omitzero"`      // the canonical text; left out of lists
	RulesText   string    `json:"rules_text,omitzero"` // the rules as they were given; left out of lists, "" = the default rules
	Scope       Scope     `json:"scope,omitzero"`
	Carried     []Carried `json:"carried,omitzero"`  // what it has from another one, by site; known when it was carried over
	Activate    bool      `json:"activate,omitzero"` // switches to itself when it is ready
	SkipDamaged bool      `json:"skip_damaged,omitzero"`
	Created     time.Time `json:"created"`
	Ready       time.Time `json:"ready,omitzero"`
	Activated   time.Time `json:"activated,omitzero"` // last time
	Retired     time.Time `json:"retired,omitzero"`
	Until       time.Time `json:"until,omitzero"` // of a retired one: when it is dropped

	Progress     Progress `json:"progress"`
	Counts       *Counts  `json:"counts,omitzero"`        // nil if it failed
	ActiveCounts *Counts  `json:"active_counts,omitzero"` // of the active one beside it; left out of lists and of the active one
}

// Carried says what of a site a generation has from another one, counted by that one's rules.
type Carried struct {
	Site   string `json:"site"`
	From   string `json:"from_generation"`
	Before string `json:"before,omitzero"` // YYYY-MM-DD: days before it; "" = all
	Source string `json:"source,omitzero"` // of this journal alone, which cannot be read any more
	Hits   uint64 `json:"hits"`            // in the documents that were carried over
}

// Progress says how far a generation has read. Of grows with the journal.
type Progress struct {
	Hits          uint64            `json:"hits"` // read of all sources
	Of            uint64            `json:"of"`   // durable in all sources
	HitsPerSecond float64           `json:"hits_per_second"`
	ETASeconds    float64           `json:"eta_seconds,omitzero"` // until it has caught up; 0 = it has, or nobody knows
	Positions     map[string]uint64 `json:"positions"`            // by source: every hit below it is read
}

// Counts are what became of the hits that a generation has read, from the first hit of the journal to Progress.Positions. They
// survive restarts: a hit that is read again counts once.
type Counts struct {
	Read            uint64        `json:"read"`             // hits read
	Batches         uint64        `json:"batches"`          // batches read
	RepeatedBatches uint64        `json:"repeated_batches"` // left out, because they came before
	RepeatedHits    uint64        `json:"repeated_hits"`    // left out, those of repeated batches among them
	Excluded        uint64        `json:"excluded"`         // left out by the rules
	ExcludedBy      []RuleCount   `json:"excluded_by,omitzero"`
	ExprErrors      uint64        `json:"expr_errors"`     // runs of an expression that failed, which counts as false
	RepeatedClicks  uint64        `json:"repeated_clicks"` // left out by repeat_clicks
	Unsettled       uint64        `json:"unsettled"`       // hits whose URL is their page, because rewrites or groups would have made what counts as another
	Carried         uint64        `json:"carried"`         // not counted, because what was carried over has them
	Hits            uint64        `json:"hits"`            // counted
	Views           uint64        `json:"views"`           // of Hits
	Clicks          uint64        `json:"clicks"`          // of Hits
	Scrolls         uint64        `json:"scrolls"`         // of Hits
	Moves           uint64        `json:"moves"`           // of Hits
	Bots            uint64        `json:"bots"`            // of Hits
	Dead            uint64        `json:"dead"`            // clicks that were counted as dead too
	Bursts          uint64        `json:"bursts"`          // rage: runs of clicks
	LostHits        uint64        `json:"lost_hits"`       // damaged in the journal
	Since           []SourceSince `json:"since,omitzero"`  // of sources that were read before counts were kept, or whose first hits were deleted
}

// RuleCount is how many hits an expression of the rules has left out.
type RuleCount struct {
	Rule string `json:"rule"`
	Hits uint64 `json:"hits"`
}

// SourceSince says that Counts know nothing of a source's hits below a position.
type SourceSince struct {
	Source   string `json:"source"`
	Position uint64 `json:"position"`
}
