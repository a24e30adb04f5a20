package pebblestore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// engine is one opening of the folder. It is replaced when it breaks.
type engine struct {
	db       *pebble.DB
	fence    *fence
	readOnly bool
	users    sync.WaitGroup // calls that use db; Add only under Store.mu while the engine is the current one

	commit  sync.Mutex // one check of watermarks and its commit at a time
	commits uint64     // guarded by commit; number of the last commit that is in the folder

	mu      sync.Mutex
	synced  sync.Cond // on mu: durable grew, or the fence fell
	applied uint64    // guarded by mu; commits that readers may see
	durable uint64    // guarded by mu; commits, counted as in applied, that have been fsynced
}

// openEngine opens dir behind a fence of its own.
func openEngine(dir string, o Options, cache *pebble.Cache, readOnly bool) (e *engine, err error) {
	e = &engine{fence: &fence{FS: o.FS}, readOnly: readOnly}
	e.synced.L = &e.mu
	e.db, err = pebble.Open(dir, e.options(o, cache))
	if err == nil {
		if err = cmp.Or(e.fence.broken(), e.countCommits()); err == nil {
			return e, nil
		}
		_ = e.db.Close() // what broke it says more
	}
	return nil, cmp.Or(e.fence.broken(), err)
}

// options are for many small documents: 400,000 with blobs of 79 bytes in the mean take 92 bytes each, against 97 with
// Snappy on all levels and 108 without compression; only the last level pays for zstd. Blocks of 4 KiB take 94 bytes,
// those of 16 KiB 91, but a get out of those costs 1.6 times as much.
func (e *engine) options(o Options, cache *pebble.Cache) *pebble.Options {
	p := &pebble.Options{
		Cache:                      cache,
		FS:                         e.fence,
		FormatMajorVersion:         pebble.FormatTableFormatV6,
		Logger:                     logger{o.Logger, e},
		Merger:                     summing,
		MemTableSize:               uint64(o.MemTable),
		MaxOpenFiles:               256,
		ReadOnly:                   e.readOnly,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { e.log(o.Logger, "write store in the background", err) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { e.log(o.Logger, "store is damaged", i.Details) },
		},
	}
	profiles := [len(p.Levels)]*block.CompressionProfile{}
	for i := range profiles {
		profiles[i] = block.FastestCompression
	}
	profiles[len(profiles)-1] = block.BalancedCompression
	for i := range p.Levels {
		p.Levels[i] = pebble.LevelOptions{
			BlockSize:    8 << 10,
			FilterPolicy: bloom.FilterPolicy(10),
			Compression:  func() *block.CompressionProfile { return profiles[i] },
		}
	}
	return p
}

// log reports an error of the background, unless the engine is broken: then they are what the fence makes.
func (e *engine) log(to *slog.Logger, message string, err error) {
	if e.fence.broken() == nil {
		to.Error(message, "err", err)
	}
}

// fail breaks the engine.
func (e *engine) fail(err error) {
	e.fence.lower(err)
	e.wake()
}

// wake lets who waits in settle look again.
func (e *engine) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.synced.Broadcast()
}

// write commits what build puts into an empty batch. Only one build runs at a time, and sees all earlier commits. Where
// durable is set the result is durable before write returns, else only after a later write that is.
func (e *engine) write(durable bool, build func(*pebble.Batch) error) error {
	defer e.wake()
	b := e.db.NewBatch()
	n, err := e.apply(b, durable, build)
	if err != nil {
		return err // Pebble may still use b
	}
	if n > 0 && durable {
		if err := cmp.Or(b.SyncWait(), e.fence.broken()); err != nil {
			return err
		}
		e.mu.Lock()
		e.durable = max(e.durable, n)
		e.mu.Unlock()
	}
	return b.Close()
}

// syncAll makes all earlier commits durable.
func (e *engine) syncAll() error {
	return e.write(true, func(b *pebble.Batch) error { return b.LogData(nil, nil) })
}

// apply gives the commit's number, 0 if there was nothing to commit.
func (e *engine) apply(b *pebble.Batch, durable bool, build func(*pebble.Batch) error) (n uint64, err error) {
	e.commit.Lock()
	defer e.commit.Unlock()
	if err := build(b); err != nil || b.Empty() {
		return 0, cmp.Or(err, e.fence.broken())
	}
	numbered := b.Count() > 0
	if numbered {
		if err := e.number(b); err != nil {
			return 0, err
		}
	}
	e.mu.Lock()
	e.applied++
	n = e.applied
	e.mu.Unlock()
	if durable {
		err = e.db.ApplyNoSyncWait(b, pebble.Sync)
	} else {
		err = e.db.Apply(b, pebble.NoSync)
	}
	if err == nil && numbered {
		e.commits++
	}
	return n, cmp.Or(err, e.fence.broken())
}

// settle waits until all that the caller may have read is durable.
func (e *engine) settle() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for seen := e.applied; e.durable < seen; e.synced.Wait() {
		if err := e.fence.broken(); err != nil {
			return err
		}
	}
	return e.fence.broken()
}

// flush writes what is in memory to tables.
func (e *engine) flush(ctx context.Context) error {
	done, err := e.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
		return e.fence.broken()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close waits for the calls under way and closes the database.
func (e *engine) close() error {
	e.users.Wait()
	return cmp.Or(e.db.Close(), e.fence.broken())
}

// logger hands Pebble's messages on. A fatal one breaks the engine instead of ending the process.
type logger struct {
	to *slog.Logger
	e  *engine
}

func (l logger) Infof(format string, args ...any) {
	l.to.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("pebble: " + fmt.Sprintf(format, args...))
}

func (l logger) Fatalf(format string, args ...any) {
	l.e.fail(fmt.Errorf(format, args...))
}
