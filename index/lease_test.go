package index

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// leaseWorld is a store of records and a clock that several holders of leases have in common. Whoever waits lets time pass,
// in which the others do what is due.
type leaseWorld struct {
	t       *testing.T
	records map[string][]byte
	now     time.Time
	due     []*dueLease
	down    bool // the store answers nothing
	late    bool // the next swap happens, and its answer is lost
}

// dueLease is a holder that renews when its time has come.
type dueLease struct {
	*Lease
	next time.Time
	lost error
}

var errUnheard = errors.New("no answer")

func (w *leaseWorld) Record(_ context.Context, name string) ([]byte, error) {
	if w.down {
		return nil, errUnheard
	}
	return w.records[name], nil
}

func (w *leaseWorld) SwapRecord(_ context.Context, name string, old, value []byte) (bool, error) {
	if w.down {
		return false, errUnheard
	}
	have, ok := w.records[name]
	if ok != (old != nil) || string(have) != string(old) {
		return false, nil
	}
	if w.records[name] = value; value == nil {
		delete(w.records, name)
	}
	if w.late {
		w.late = false
		return false, errUnheard
	}
	return true, nil
}

// wait lets time pass.
func (w *leaseWorld) wait(ctx context.Context, d time.Duration) error {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Second)
		for _, l := range w.due {
			if l.lost == nil && !w.now.Before(l.next) {
				l.next = w.now.Add(l.o.Renew)
				l.lost = l.renew(ctx)
			}
		}
	}
	return ctx.Err()
}

func newLeaseWorld(t *testing.T) *leaseWorld {
	return &leaseWorld{t: t, records: map[string][]byte{}, now: time.Unix(1e9, 0)}
}

func (w *leaseWorld) take(host, place string) (*dueLease, error) {
	o := LeaseOptions{Now: func() time.Time { return w.now }, Wait: w.wait}
	l, err := TakeLease(w.t.Context(), w, "j1", LeaseHolder{Host: host, PID: 7, Folder: "/data", Since: w.now, Place: place}, o)
	if err != nil {
		return nil, err
	}
	return &dueLease{Lease: l, next: w.now.Add(l.o.Renew)}, nil
}

// must takes a lease that is to be had, and lets it be renewed.
func (w *leaseWorld) must(host, place string) *dueLease {
	w.t.Helper()
	l, err := w.take(host, place)
	if err != nil {
		w.t.Fatal(err)
	}
	w.due = append(w.due, l)
	return l
}

// pass lets time pass.
func (w *leaseWorld) pass(d time.Duration) { _ = w.wait(w.t.Context(), d) }

func TestLeaseOfAnother(t *testing.T) {
	w := newLeaseWorld(t)
	a := w.must("a", "here")
	start := w.now
	_, err := w.take("b", "there")
	var held *LeaseHeldError
	if !errors.As(err, &held) || held.Source != "j1" || held.Holder.Host != "a" || held.Lost {
		t.Fatalf("error is %v", err)
	}
	const want = "journal j1 is in use by heatlog on host a (pid 7, data folder /data, since 2001-09-09T01:46:40Z)"
	if err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
	if took := w.now.Sub(start); took > LeaseRenew+leaseLook {
		t.Errorf("it took %v to be refused", took)
	}
	w.pass(time.Minute)
	if a.lost != nil {
		t.Errorf("who holds it has lost it: %v", a.lost)
	}
}

func TestLeaseOfTheDead(t *testing.T) {
	f := func(name, place string, wait time.Duration) {
		t.Run(name, func(t *testing.T) {
			w := newLeaseWorld(t)
			if _, err := w.take("a", "here"); err != nil { // it is never renewed
				t.Fatal(err)
			}
			start := w.now
			b := w.must("b", place)
			if took := w.now.Sub(start); took != wait {
				t.Errorf("it took %v to take it over, want %v", took, wait)
			}
			w.pass(time.Minute)
			if b.lost != nil {
				t.Errorf("it was lost: %v", b.lost)
			}
		})
	}
	f("same place", "here", 0)
	f("another place", "there", LeaseLost)
	f("unknown place", "", LeaseLost)
}

func TestLeaseOfZombie(t *testing.T) {
	w := newLeaseWorld(t)
	a, err := w.take("a", "here") // stands still from now on
	if err != nil {
		t.Fatal(err)
	}
	if !a.Fresh() {
		t.Error("a lease that was just taken is not fresh")
	}
	w.pass(LeaseLost/2 - time.Second)
	if !a.Fresh() {
		t.Error("a lease that was renewed in time is not fresh")
	}
	w.pass(time.Second)
	if a.Fresh() {
		t.Error("a lease that was not renewed is fresh, although it may be lost while something is stored")
	}
	b := w.must("b", "there")
	err = a.renew(t.Context())
	var held *LeaseHeldError
	if !errors.As(err, &held) || !held.Lost || held.Holder.Host != "b" {
		t.Fatalf("error is %v", err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	if b.lost != nil || len(w.records) != 1 {
		t.Errorf("the zombie gave back what is not its own: %v", b.lost)
	}
}

func TestLeaseGivenBack(t *testing.T) {
	w := newLeaseWorld(t)
	a := w.must("a", "here")
	w.pass(12 * time.Second)
	w.late = true
	w.pass(5 * time.Second) // its last renewal is there, and it does not know
	w.due = nil
	if err := a.Release(t.Context()); err != nil || len(w.records) != 0 {
		t.Fatalf("records %q, %v", w.records, err)
	}
	start := w.now
	w.must("b", "there")
	if took := w.now.Sub(start); took != 0 {
		t.Errorf("it took %v to take what was given back", took)
	}
}

// TestLeaseStoreDown keeps a lease while the store does not answer, and looks at it again afterwards.
func TestLeaseStoreDown(t *testing.T) {
	w := newLeaseWorld(t)
	a := w.must("a", "here")
	w.down = true
	w.pass(time.Hour)
	if a.lost != nil {
		t.Fatalf("it was given up although nobody can have taken it: %v", a.lost)
	}
	if _, err := w.take("b", "there"); !errors.Is(err, errUnheard) {
		t.Fatalf("error is %v", err)
	}
	w.down = false
	w.pass(LeaseRenew)
	if a.lost != nil {
		t.Fatalf("it was lost to nobody: %v", a.lost)
	}
	w.late = true
	w.pass(time.Minute)
	if a.lost != nil {
		t.Fatalf("it was lost to itself: %v", a.lost)
	}
}

// TestLeaseTakenUnheard takes a lease whose swap happened although it gave an error.
func TestLeaseTakenUnheard(t *testing.T) {
	w := newLeaseWorld(t)
	w.late = true
	if _, err := w.take("a", "here"); !errors.Is(err, errUnheard) {
		t.Fatalf("error is %v", err)
	}
	start := w.now
	w.must("a", "here")
	if took := w.now.Sub(start); took != 0 {
		t.Errorf("it took %v to take it again in the same place", took)
	}
}

func TestLeaseRecords(t *testing.T) {
	w := newLeaseWorld(t)
	w.records["lease/j1"] = []byte("what another version wrote")
	start := w.now
	a := w.must("a", "here")
	if took := w.now.Sub(start); took != LeaseLost {
		t.Errorf("it took %v to take over what cannot be read, want %v", took, LeaseLost)
	}
	delete(w.records, "lease/j1") // by hand
	w.pass(time.Minute)
	if a.lost != nil || len(w.records) != 1 {
		t.Errorf("lost %v, records %v", a.lost, w.records)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Keep(ctx); err != nil {
		t.Errorf("Keep gives %v when its context ends", err)
	}
	w.records["lease/j1"] = fmt.Append(nil, "taken")
	if err := a.Keep(t.Context()); !errors.As(err, new(*LeaseHeldError)) {
		t.Errorf("Keep gives %v when the lease is taken", err)
	}
}
