package index

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// What the time of a lease is made of. A holder that the store does not hear for LeaseLost has lost it to whoever looks on.
const (
	LeaseRenew = 5 * time.Second  // between two renewals
	LeaseLost  = 20 * time.Second // without a change, by the clock of whoever looks on
	leaseLook  = time.Second      // between two looks at a lease of somebody else
)

// LeaseHolder says who holds a lease, for people and for who starts in the same place.
type LeaseHolder struct {
	Host   string    `json:"host"`
	PID    int       `json:"pid"`
	Folder string    `json:"folder"`
	Since  time.Time `json:"since"`
	End    uint64    `json:"end"` // of the source when the lease was taken: what comes behind is this process's own

	// Place names the folder itself in a way that no copy of it has. Whoever holds the folder's lock knows that nobody
	// else is alive there. "" = unknown.
	Place string `json:"place,omitempty"`
}

// leaseValue is what the record of a lease holds.
type leaseValue struct {
	ID   string `json:"id"`   // of the process
	Beat uint64 `json:"beat"` // of renewals
	LeaseHolder
}

// LeaseHeldError says that another process counts the hits of a source.
type LeaseHeldError struct {
	Source string
	Holder LeaseHolder
	Lost   bool // this process had the lease before
}

// Error says who has it.
func (e *LeaseHeldError) Error() string {
	h := e.Holder
	by := fmt.Sprintf("heatlog on host %s (pid %d, data folder %s, since %s)", h.Host, h.PID, h.Folder, h.Since.UTC().Format(time.RFC3339))
	if e.Lost {
		return "journal " + e.Source + " was taken over by " + by + ", because this process was not heard of for some time"
	}
	return "journal " + e.Source + " is in use by " + by
}

// LeaseOptions say how a lease is kept; the zero value works.
type LeaseOptions struct {
	Renew, Lost, Look time.Duration // default LeaseRenew, LeaseLost and 1 s
	Logger            *slog.Logger  // nil discards

	// Now is a clock that never goes back, and Wait lets time pass on it, giving the error of a context that ends first. Default:
	// the system's.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

func (o LeaseOptions) withDefaults() LeaseOptions {
	if o.Renew <= 0 {
		o.Renew = LeaseRenew
	}
	if o.Lost <= 0 {
		o.Lost = LeaseLost
	}
	if o.Look <= 0 {
		o.Look = leaseLook
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = pause
	}
	return o
}

// Lease is the right to count the hits of a source into a store that several processes reach: a record, lease/SOURCE, that its
// holder changes from time to time. No clocks of two machines are compared. A lease saves work and finds copies of a data folder;
// that every hit is counted once does not depend on it, as each flush is a compare-and-swap.
type Lease struct {
	store  Records
	source string
	mine   leaseValue
	value  []byte // of the record, as far as we know
	o      LeaseOptions

	mu    sync.Mutex
	heard time.Time // guarded by mu; when the last swap that is known to have been done began
}

// Fresh reports whether nobody else can have taken the lease, nor will before an operation ends that takes less than half of
// o.Lost. Whoever has a lease that is not fresh, because its process stood still, stores nothing before it is renewed: it may have
// taken hits since at positions that another one gives out too.
func (l *Lease) Fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.o.Now()
	// the clock that never goes back may stand still while a machine is suspended, and the other one does not
	return now.Sub(l.heard) < l.o.Lost/2 && now.Round(0).Sub(l.heard.Round(0)).Abs() < l.o.Lost/2
}

const leasePrefix = "lease/"

func leaseName(source string) string { return leasePrefix + source }

// IsLease reports whether a record is a lease.
func IsLease(name string) bool { return strings.HasPrefix(name, leasePrefix) }

// TakeLease takes the lease of a source. One of a process that is gone is taken over: at once if it was in the same place, else
// when it has not changed for o.Lost. The error is a *LeaseHeldError if somebody else keeps it. After any other error it may have been
// taken all the same: then it is like that of a process that is gone.
func TakeLease(ctx context.Context, store Records, source string, holder LeaseHolder, o LeaseOptions) (*Lease, error) {
	l := &Lease{store: store, source: source, o: o.withDefaults()}
	l.mine = leaseValue{ID: rand.Text(), LeaseHolder: holder}
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// take makes the record ours.
func (l *Lease) take(ctx context.Context) error {
	var seen []byte     // the lease of somebody else
	var since time.Time // when it was seen first
	for {
		have, err := l.store.Record(ctx, leaseName(l.source))
		if err != nil {
			return fmt.Errorf("read lease of journal %s: %w", l.source, err)
		}
		other, known := parseLease(have)
		free := have == nil || known && (other.ID == l.mine.ID || l.mine.Place != "" && other.Place == l.mine.Place)
		if !free && !bytes.Equal(have, seen) {
			if seen != nil && known {
				return &LeaseHeldError{Source: l.source, Holder: other.LeaseHolder}
			}
			seen, since = have, l.o.Now()
			l.o.Logger.Info("journal has a lease of another process: waiting to see whether that is alive", slog.String("source", l.source),
				slog.String("host", other.Host), slog.Int("pid", other.PID), slog.String("folder", other.Folder), slog.Duration("at_most", l.o.Lost))
		}
		if free || l.o.Now().Sub(since) >= l.o.Lost {
			done, err := l.swap(ctx, have)
			if err != nil {
				return fmt.Errorf("take lease of journal %s: %w", l.source, err)
			}
			if done {
				return nil
			}
			continue
		}
		if err := l.o.Wait(ctx, l.o.Look); err != nil {
			return err
		}
	}
}

// swap puts the next value of ours in the place of one.
func (l *Lease) swap(ctx context.Context, old []byte) (bool, error) {
	l.mine.Beat++
	begun := l.o.Now()
	value, err := json.Marshal(&l.mine)
	if err != nil {
		return false, err
	}
	done, err := l.store.SwapRecord(ctx, leaseName(l.source), old, value)
	if done && err == nil {
		l.value = value
		l.mu.Lock()
		l.heard = begun
		l.mu.Unlock()
	}
	return done, err
}

// parseLease reads the value of a record; one that cannot be read is nobody's that we know.
func parseLease(value []byte) (v leaseValue, known bool) {
	err := json.Unmarshal(value, &v)
	return v, err == nil && v.ID != ""
}

// Keep renews the lease until ctx ends, which gives nil, or until it is found to be somebody else's: a *LeaseHeldError. While the
// store does not answer nothing is known, and nothing can be stored either: it is tried again.
func (l *Lease) Keep(ctx context.Context) error {
	for {
		wait := l.o.Renew
		if !l.Fresh() {
			wait = min(wait, l.o.Look)
		}
		if l.o.Wait(ctx, wait) != nil {
			return nil
		}
		if err := l.renew(ctx); err != nil {
			return err
		}
	}
}

// renew changes the record once. Errors of the store are nothing to act on.
func (l *Lease) renew(ctx context.Context) error {
	done, err := l.swap(ctx, l.value)
	if done || err != nil {
		return nil
	}
	have, err := l.store.Record(ctx, leaseName(l.source)) // perhaps of a renewal whose answer was lost
	if err != nil {
		return nil
	}
	other, known := parseLease(have)
	switch {
	case have == nil: // deleted by hand: nobody has it
		l.value = nil
		_, _ = l.swap(ctx, nil)
	case known && other.ID == l.mine.ID:
		l.value = have
		_, _ = l.swap(ctx, have)
	default:
		return &LeaseHeldError{Source: l.source, Holder: other.LeaseHolder, Lost: true}
	}
	return nil
}

// Release gives the lease back, unless it is somebody else's by now. Keep must have ended.
func (l *Lease) Release(ctx context.Context) error {
	for {
		done, err := l.store.SwapRecord(ctx, leaseName(l.source), l.value, nil)
		if err != nil {
			return fmt.Errorf("give back lease of journal %s: %w", l.source, err)
		}
		if done {
			return nil
		}
		have, err := l.store.Record(ctx, leaseName(l.source))
		if err != nil {
			return fmt.Errorf("read lease of journal %s: %w", l.source, err)
		}
		if other, known := parseLease(have); have == nil || !known || other.ID != l.mine.ID {
			return nil
		}
		l.value = have // of a renewal whose answer was lost
	}
}

// Source is the source that the lease is of.
func (l *Lease) Source() string { return l.source }
