package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
	"heatlog/replay"
)

// contact brings a journal and a store together: it takes the journal's lease where several processes reach the store, asks
// whether the journal is an older copy, and opens the generations. While the store is out of reach, hits are taken unasked,
// and contact is tried again and again.
type contact struct {
	data    dataDir
	journal *writtenJournal
	store   index.Store
	remote  *database // the store, nil if no other process can reach it
	counts  *counts
	log     *slog.Logger
	broken  chan<- error
	options replay.Options
	started time.Time

	mu   sync.Mutex
	note placeNote // guarded by mu

	lease  *index.Lease // of the active source, nil = none
	keeps  context.CancelFunc
	kept   chan struct{} // closed when nobody renews the lease any more
	lost   error         // why the lease is somebody else's; read when kept is closed
	cancel context.CancelFunc
	tried  chan struct{} // closed when nobody tries to reach the store any more
}

// openIndex opens all generations, or has it tried beside for as long as the store is out of reach.
func (s *server) openIndex(c *serveCmd) (err error) {
	k := &contact{data: c.Data, journal: s.journal, store: s.store, remote: s.database, log: s.log, broken: s.broken, started: time.Now(), tried: make(chan struct{})}
	s.counts = &counts{why: k.why, behind: func() uint64 { j := s.journal.now(); return j.Durable() - j.First() }}
	k.counts = s.counts
	if k.options, err = s.replayOptions(c, k.sources); err != nil {
		return err
	}
	if k.note, err = c.Data.readPlace(); err != nil {
		return err
	}
	var ctx context.Context
	ctx, k.cancel = context.WithCancel(context.Background())
	stop := context.AfterFunc(s.starting, k.cancel)
	err = k.open(ctx)
	if stop(); s.starting.Err() != nil {
		err = errors.New("stopped before it had started")
	}
	if err == nil || k.remote == nil || s.offline || !passes(err) {
		close(k.tried)
		if err != nil {
			return errors.Join(err, k.end(context.Background()))
		}
		s.opened("index", k.end)
		return nil
	}
	if err := k.takeUnasked(); err != nil {
		close(k.tried)
		return errors.Join(err, k.end(context.Background()))
	}
	go func() {
		defer close(k.tried)
		k.keepTrying(ctx)
	}()
	s.opened("index", k.end)
	return nil
}

// passes reports whether err is that the store is out of reach, or fails for now.
func passes(err error) bool { return errors.As(err, new(*heatmap.UnavailableError)) }

// why says what is in the way of answers, nil if the store answers.
func (k *contact) why() error {
	if k.remote == nil {
		return nil
	}
	return k.remote.err()
}

// keepTrying opens the generations as soon as that is possible, and logs what is in the way when that changes.
func (k *contact) keepTrying(ctx context.Context) {
	said := ""
	for wait := leastPause; ; wait = min(2*wait, mostPause) {
		if k.remote.await(ctx) != nil {
			return
		}
		err := k.open(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			k.log.Info("counts are open", "source", k.journal.now().Source(), "hits_waiting", k.counts.Lag())
			return
		case !passes(err):
			k.fail(err)
			return
		}
		if text := err.Error(); text != said {
			said = text
			k.log.Error("counts cannot be opened, trying again", "err", err)
		}
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

// fail ends the server with an error.
func (k *contact) fail(err error) {
	select {
	case k.broken <- err:
	default: // it ends already
	}
}

// open asks the store once. It may be called again after an error that passes.
func (k *contact) open(ctx context.Context) error {
	if err := k.takeLease(ctx); err != nil {
		return err
	}
	if err := k.judge(ctx); err != nil {
		return err
	}
	if err := k.takeLease(ctx); err != nil { // of a source that has just begun
		return err
	}
	g, err := replay.Open(ctx, k.options)
	if err != nil {
		return err
	}
	k.counts.opened.Store(g)
	return nil
}

// sources gives what is read: the source that is written, and the frozen ones, as far as they count.
func (k *contact) sources(damaged func(*journal.CorruptError)) (index.Source, []index.Source) {
	k.mu.Lock()
	defer k.mu.Unlock()
	j := k.journal.now()
	frozen := index.FrozenSources(j, damaged)
	for i, f := range frozen {
		if end, ok := k.note.Cut[f.ID()]; ok {
			frozen[i] = index.CutAt(f, end)
		}
	}
	return index.JournalSource(j, damaged), frozen
}

// judge asks the store whether the journal, or what was taken unasked, is an older copy. Then nothing may be counted of it that lies where
// it ended: it is frozen, and hits go on under a new source.
func (k *contact) judge(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	j, cut := k.journal.now(), maps.Clone(k.note.Cut)
	judged := maps.Clone(k.note.Unasked)
	if judged == nil {
		judged = map[string]uint64{}
	}
	judged[j.Source()] = k.note.judgedEnd(j)
	for source, end := range judged {
		err := replay.Behind(ctx, k.store, source, end)
		var behind *index.JournalBehindError
		if err != nil && !errors.As(err, &behind) {
			return err
		}
		if behind == nil {
			continue
		}
		if source == j.Source() {
			if j, err = k.freeze(behind); err != nil {
				return err
			}
		}
		if last := durableOf(j, source); last > end {
			if cut == nil {
				cut = map[string]uint64{}
			}
			cut[source] = end
			k.log.Error("hits that were taken while the store could not be asked are in no count: the journal is an older copy, and the store has others at their positions. "+
				"heatlog journal dump --import writes them for heatlog import", "source", source, "from", end, "to", last, "hits", last-end)
		}
	}
	if k.remote == nil && len(k.note.Unasked) == 0 {
		return nil // it will be asked at every start
	}
	return k.note.settle(k.data, j, nil, cut)
}

// durableOf gives the end of a source of a journal, 0 if it has none of that name.
func durableOf(j *journal.Journal, source string) uint64 {
	for _, l := range append(j.Frozen(), &j.Log) {
		if l.Source() == source {
			return l.Durable()
		}
	}
	return 0
}

// freeze lets a journal go on under a new source that turned out to be an older copy than the store.
func (k *contact) freeze(behind *index.JournalBehindError) (*journal.Journal, error) {
	next, err := k.journal.freeze()
	if err != nil {
		return nil, err
	}
	k.log.Warn("journal is an older copy than the store: it is frozen, and hits go on under a new source", "source", behind.Source,
		"end", behind.End, "stored", behind.High, "missing_hits_at_most", behind.High-behind.End, "new_source", next.Source())
	return next, nil
}

// takeUnasked lets hits be taken while the store cannot be asked whether the journal is an older copy. If it is not where it was written last,
// it may be: then they go under a new source.
func (k *contact) takeUnasked() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	j, unasked := k.journal.now(), maps.Clone(k.note.Unasked)
	if !k.note.isHome(k.data, j) {
		next, err := k.journal.freeze()
		if err != nil {
			return err
		}
		k.log.Warn("journal is not where it was written last, and the store cannot be asked whether it is an older copy: it is frozen, and hits go on under a new source",
			"source", j.Source(), "end", j.Durable(), "new_source", next.Source())
		return k.note.settle(k.data, next, unasked, k.note.Cut)
	}
	if unasked == nil {
		unasked = map[string]uint64{}
	}
	unasked[j.Source()] = k.note.judgedEnd(j)
	return k.note.settle(k.data, j, unasked, k.note.Cut)
}

// takeLease takes the lease of the source that is written, and gives back that of one that was.
func (k *contact) takeLease(ctx context.Context) error {
	source := k.journal.now().Source()
	if k.remote == nil || k.lease != nil && k.lease.Source() == source {
		return nil
	}
	k.giveBack(ctx)
	lease, err := index.TakeLease(ctx, k.store, source, k.holder(), index.LeaseOptions{Logger: k.log})
	if held := (*index.LeaseHeldError)(nil); errors.As(err, &held) {
		return withHint(fmt.Errorf("%w, which renews its lease in store %s", err, k.remote.name),
			"stop that one, or start this one with a data folder of its own: --data DIR")
	}
	if err != nil {
		return err
	}
	var keep context.Context
	keep, k.keeps = context.WithCancel(context.Background())
	k.lease, k.kept = lease, make(chan struct{})
	may := func() error {
		if lease.Fresh() {
			return nil
		}
		return &heatmap.UnavailableError{Message: "this process stood still, or its database did: nothing is stored before the lease of journal " + source + " is renewed"}
	}
	k.remote.may.Store(&may)
	go func() {
		defer close(k.kept)
		if err := lease.Keep(keep); err != nil {
			if err := k.lose(source, err); err != nil {
				k.log.Error("what this journal and another one have taken at the same positions is not noted", "err", err)
			}
			k.lost = withHint(err, "hits in the journal of data folder %s stay there; stop the other one, and what is missing is counted at the next start", k.data)
			k.log.Error("lease is lost, counting stops", "err", err)
			k.fail(k.lost)
		}
	}()
	return nil
}

// lose notes from where on the hits of a source are this journal's alone, if somebody else has taken over what was copied of it: that
// one gives out the same positions.
func (k *contact) lose(source string, err error) error {
	var held *index.LeaseHeldError
	if !errors.As(err, &held) {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	unasked := maps.Clone(k.note.Unasked)
	if unasked == nil {
		unasked = map[string]uint64{}
	}
	unasked[source] = held.Holder.End
	return k.note.settle(k.data, k.journal.now(), unasked, k.note.Cut)
}

// giveBack ends the lease, if there is one.
func (k *contact) giveBack(ctx context.Context) {
	if k.lease == nil {
		return
	}
	k.keeps()
	<-k.kept
	if k.lost == nil {
		if err := k.lease.Release(ctx); err != nil {
			k.log.Warn("lease was not given back: a start elsewhere waits until it is lost", "after", index.LeaseLost, "err", err)
		}
	}
	k.lease = nil
}

// holder says who this process is.
func (k *contact) holder() index.LeaseHolder {
	j := k.journal.now()
	h := index.LeaseHolder{PID: os.Getpid(), Folder: string(k.data), Since: k.started, End: j.Durable()}
	h.Host, _ = os.Hostname() // for people alone
	if full, err := filepath.Abs(h.Folder); err == nil {
		h.Folder = full
	}
	place, err := folderPlace(k.data.sourceFolder(j.Source()))
	if boot := bootID(); err == nil && boot != "" {
		h.Place = boot + " " + place
	}
	return h
}

// end stores all that is counted and gives the lease back.
func (k *contact) end(ctx context.Context) error {
	k.cancel()
	<-k.tried
	var err error
	if g := k.counts.opened.Load(); g != nil {
		err = k.closeCounts(ctx, g)
	}
	k.giveBack(ctx)
	return err
}

// closeCounts stores what is counted, unless somebody else counts it.
func (k *contact) closeCounts(ctx context.Context, g *replay.Generations) error {
	if k.lease == nil {
		return g.Close(ctx)
	}
	select {
	case <-k.kept:
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_ = g.Close(ctx) // what is not stored is read from the journal again
		return nil
	default:
		return g.Close(ctx)
	}
}
