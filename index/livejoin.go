package index

import (
	"context"
	"errors"
	"slices"
	"time"

	"heatlog/heatmap"
)

const (
	// firstAnswer is the longest time for which the first Update of an answer waits that is read from the journal.
	firstAnswer = 150 * time.Millisecond

	// joinHits is how many hits may be left to read when a question begins to listen: what it is shown meanwhile has room.
	joinHits = 8 << 10

	// scanAgain is the pause before a question tries again to read what it missed, if hits were deleted meanwhile.
	scanAgain = time.Second
)

// run keeps the answer up to date until it ends.
func (k *Kept) run() {
	defer k.leave()
	clock := time.NewTimer(k.untilNext())
	defer clock.Stop()
	for k.ctx.Err() == nil {
		if !k.isJoined() {
			if err := k.read(); err != nil {
				k.End(err)
				return
			}
			k.tell()
		}
		select {
		case <-k.ctx.Done():
		case <-k.shown.came:
			k.takeIn()
		case <-clock.C:
			k.look()
			clock.Reset(k.untilNext())
		}
	}
}

func (k *Kept) isJoined() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.joined
}

// takeIn counts what was shown.
func (k *Kept) takeIn() {
	k.mu.Lock()
	err := k.countShown()
	k.mu.Unlock()
	if err != nil {
		k.End(err)
	}
	k.tell()
}

// listen begins to be shown what comes. What waitRouted waits for and later is shown, or was before.
func (k *Kept) listen() {
	k.shown.clear()
	k.index.live.listen(k, true)
}

func (k *Kept) stopListening() {
	k.index.live.listen(k, false)
	k.shown.clear()
}

// join says that the answer goes on with what is shown. The caller holds mu, or is the only one who knows of the answer.
func (k *Kept) join() {
	k.joined, k.complete = true, true
	k.tell()
}

// waitRouted waits until the index has applied every chunk that a question which began to listen was not shown, and all that its answer
// has. A chunk that was being shown when it began is not applied yet: it is neither in what is shown nor in what can be asked for.
func (k *Kept) waitRouted(ctx context.Context) error {
	if err := k.index.waitRecovered(ctx, k.index.feeds); err != nil {
		return err
	}
	for i, f := range k.index.feeds {
		to := max(f.tap.settled(), k.counted[i])
		for {
			p, _ := f.pipeline()
			if p == nil || p.begun() && (p.routed.Load() >= to || p.failed.Load() != nil) {
				break
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads the journal from where the answer ends, until what is shown goes on there. What comes while much is read is not held:
// it is read in the next round.
func (k *Kept) read() error {
	k.stopListening()
	timer := time.AfterFunc(firstAnswer, k.tell)
	defer timer.Stop()
	for {
		for {
			if err := k.scan(); err != nil {
				return err
			}
			if k.isNear() {
				break
			}
		}
		k.listen()
		if err := k.waitRouted(k.ctx); err != nil {
			return err
		}
		if err := k.scan(); err != nil {
			return err
		}
		k.mu.Lock()
		k.join()
		err := k.countShown()
		joined := k.joined
		k.mu.Unlock()
		if err != nil || joined {
			k.pin.release()
			return err
		}
		k.stopListening()
	}
}

// isNear reports whether little is left to read.
func (k *Kept) isNear() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.left() <= joinHits
}

// left is the number of hits that could be read. The caller holds mu.
func (k *Kept) left() (hits uint64) {
	for i, f := range k.index.feeds {
		to := f.source.Durable()
		if p, _ := f.pipeline(); p != nil && !f.frozen {
			to = p.routed.Load()
		}
		hits += max(to, k.counted[i]) - k.counted[i]
	}
	return hits
}

// scan reads the journal from where the answer ends up to what is applied, when it is its turn. If hits are deleted meanwhile, one that
// was told as complete already tries again.
func (k *Kept) scan() error {
	k.pinRest()
	k.mu.Lock()
	from := slices.Clone(k.counted)
	k.history.begin(k.left())
	k.mu.Unlock()
	prefix, err := k.index.scanRange(k.ctx, k.plan, k.living, scanOptions{from: from, lock: &k.mu, moved: k.moved, patient: true})
	if deleted := (*heatmap.UnavailableError)(nil); errors.As(err, &deleted) && k.isComplete() {
		return pause(k.ctx, scanAgain)
	}
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.index.feeds {
		k.counted[i] = max(k.counted[i], prefix.Positions[f.source.ID()])
	}
	return k.check()
}

func (k *Kept) isComplete() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.complete
}

// moved takes note of how far a scan has come. It is called under mu.
func (k *Kept) moved(at scanned) {
	copy(k.counted, at.positions)
	k.history.move(at.done, at.total, time.Now())
	if err := k.check(); err != nil && k.err == nil {
		k.err = err
		k.cancel()
	}
	k.tell()
}

// pinRest keeps everything from being pruned that the answer has not read.
func (k *Kept) pinRest() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.index.feeds {
		if k.counted[i] < f.source.Durable() || i == len(k.index.feeds)-1 {
			k.pin.move(i, k.counted[i])
			return
		}
	}
}
