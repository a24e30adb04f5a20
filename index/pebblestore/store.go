package pebblestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"heatlog/index"
)

// ErrClosed is the error of every call after Close.
var ErrClosed = errors.New("store is closed")

// errReadOnly is the error of writes to a store that is only looked into.
var errReadOnly = errors.New("store is open to look into alone")

// OpenError says why a folder cannot be opened as a store.
type OpenError struct {
	Dir  string
	Err  error
	Hint string // what a person can do about it
}

// Error gives folder and reason, without the hint.
func (e *OpenError) Error() string { return fmt.Sprintf("open store %s: %v", e.Dir, e.Err) }

// Unwrap gives the reason.
func (e *OpenError) Unwrap() error { return e.Err }

// Options of a Store; the zero value works.
type Options struct {
	Cache    int64            // bytes of tables held in memory, default 16 MiB; MemTable comes on top twice
	MemTable int64            // bytes of new documents held in memory before they become a table, default 8 MiB, at least 256 KiB
	ReadOnly bool             // look on alone: nothing of the store is changed, and every write fails
	FS       vfs.FS           // default is the operating system's
	Logger   *slog.Logger     // default discards
	Now      func() time.Time // default time.Now; paces attempts to open a broken store anew
}

func (o Options) withDefaults() Options {
	if o.Cache <= 0 {
		o.Cache = 16 << 20
	}
	if o.MemTable <= 0 {
		o.MemTable = 8 << 20
	}
	o.MemTable = max(o.MemTable, 256<<10)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// make makes the folder of a store that may be changed.
func (o *Options) make(dir string) error {
	if o.ReadOnly {
		return nil
	}
	return o.FS.MkdirAll(dir, 0o755)
}

// Store is an [index.Store] in a folder. All methods are safe for concurrent use.
type Store struct {
	dir   string
	o     Options
	cache *pebble.Cache
	lock  *pebble.Lock

	mu      sync.Mutex
	engine  *engine // guarded by mu, as is all below
	closed  bool
	retryAt time.Time // when a broken engine may next be replaced
	lastErr error     // of the last attempt to replace it

	retired sync.WaitGroup // engines that are being closed; Go only under mu

	written, conflicts, reopened atomic.Uint64

	version atomic.Uint64 // see Version
	pages   versions
}

var (
	_ index.Store     = (*Store)(nil)
	_ index.Versioned = (*Store)(nil)
)

// Open opens the store in dir, which is made when it is absent. The error is an *OpenError: another process has the
// folder, it is damaged, or it holds something else or a newer format.
func Open(dir string, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.make(dir); err != nil {
		return nil, &OpenError{dir, err, "make the folder, or let heatlog write to the one above it"}
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, lockError(dir, err)
	}
	s := &Store{dir: dir, o: o, lock: lock, cache: pebble.NewCache(o.Cache + 2*o.MemTable)}
	if s.engine, err = s.open(o.ReadOnly); err == nil && !o.ReadOnly {
		err = s.markNew()
	}
	if err != nil {
		return nil, errors.Join(openError(dir, err), s.release(s.engine))
	}
	return s, nil
}

// open opens the folder, but not one that lost the file that says which tables it has, or parts of it: Pebble would go on
// from what is left and delete the tables that it does not know. What is there is looked at before anything is changed.
func (s *Store) open(readOnly bool) (*engine, error) {
	desc, err := pebble.Peek(s.dir, s.o.FS)
	if err != nil {
		return nil, err
	}
	if !desc.Exists {
		if err := s.noTables("no manifest"); err != nil {
			return nil, err
		}
	} else if !readOnly {
		if err := s.look(); err != nil {
			return nil, err
		}
	}
	return openEngine(s.dir, s.o, s.cache, readOnly)
}

// look opens the folder without a change to it and says why it cannot be used.
func (s *Store) look() error {
	e, err := openEngine(s.dir, s.o, s.cache, true)
	if err != nil {
		return err
	}
	isNew, err := e.checkFormat()
	if err == nil && isNew {
		err = s.noTables("none that the manifest lists")
	}
	return cmp.Or(err, e.close())
}

// noTables gives an error if the folder holds tables, though there is what is told.
func (s *Store) noTables(though string) error {
	names, err := s.o.FS.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			return fmt.Errorf("%s is there, but %s: %w", name, though, pebble.ErrCorruption)
		}
	}
	return nil
}

func lockError(dir string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return &OpenError{dir, err, "let heatlog write to the folder"}
	}
	return &OpenError{dir, fmt.Errorf("in use by another process: %w", err), "stop the other heatlog, or give this one a data folder of its own"}
}

func openError(dir string, err error) error {
	hint := "look at the disk: its space, its rights, its health"
	var format *formatError
	switch {
	case errors.As(err, &format):
		hint = format.hint
	case errors.Is(err, pebble.ErrCorruption) || !errors.Is(err, fs.ErrPermission) && !isSystem(err):
		err = fmt.Errorf("folder is damaged: %w", err)
		hint = "put a copy back, or move the folder away: heatlog then counts anew all hits that the journal holds"
	}
	return &OpenError{dir, err, hint}
}

// isSystem reports whether err came from the operating system, not from what a file held.
func isSystem(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist)
}

const (
	formatName    = "heatlog store "
	formatVersion = "1"
)

type formatError struct{ message, hint string }

func (e *formatError) Error() string { return e.message }

// checkFormat refuses a folder with another format's version, and one without any that holds something.
func (e *engine) checkFormat() (isNew bool, err error) {
	value, err := e.get([]byte{versionSpace})
	switch {
	case err != nil:
		return false, err
	case string(value) == formatName+formatVersion:
		return false, nil
	case strings.HasPrefix(string(value), formatName):
		v := strings.TrimPrefix(string(value), formatName)
		return false, &formatError{fmt.Sprintf("format version %q, want %q", v, formatVersion), "use the heatlog that wrote it"}
	case value != nil:
		return false, &formatError{"a database, but not one of heatlog's", "give heatlog a folder of its own"}
	}
	if isNew, err = e.empty(); err == nil && !isNew {
		err = &formatError{"folder is damaged, or not heatlog's: the store's format is not in it",
			"if it is heatlog's, put a copy back, or move the folder away: heatlog then counts anew all hits that the journal holds; " +
				"else give heatlog a folder of its own"}
	}
	return isNew, err
}

// markNew writes the format's version into an empty folder.
func (s *Store) markNew() error {
	isNew, err := s.engine.checkFormat()
	if err != nil || !isNew {
		return err
	}
	return s.engine.write(true, func(b *pebble.Batch) error {
		return b.Set([]byte{versionSpace}, []byte(formatName+formatVersion), nil)
	})
}

// Close waits for the calls under way and closes the store. Later calls give ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	e := s.engine
	s.mu.Unlock()
	s.retired.Wait()
	if err := s.release(e); err != nil {
		return fmt.Errorf("%s was not closed well, the next start reads what is missing from the journal again: %w", s.dir, err)
	}
	return nil
}

func (s *Store) release(e *engine) (err error) {
	if e != nil {
		err = e.close()
	}
	s.cache.Unref()
	return errors.Join(err, s.lock.Close())
}

// enter gives the engine to use for one call. The caller must call users.Done on it.
func (s *Store) enter(ctx context.Context, write bool) (*engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if write && s.o.ReadOnly {
		return nil, errReadOnly
	}
	if s.engine.fence.broken() != nil || write && s.engine.readOnly {
		if err := s.reopen(write); err != nil {
			return nil, err
		}
	}
	s.engine.users.Add(1)
	return s.engine, nil
}

// reopen replaces an engine that is broken or cannot write, by one that can only read if there is no other. Attempts to
// write are a second apart; a reader does not wait for the next one. s.mu is held.
func (s *Store) reopen(write bool) error {
	why := s.engine.fence.broken()
	now := s.o.Now()
	if now.Before(s.retryAt) {
		err := fmt.Errorf("store %s is broken: %w", s.dir, cmp.Or(s.lastErr, why))
		if !write && s.lastErr == nil && s.reopenToRead(why) {
			return nil
		}
		return err
	}
	s.retryAt = now.Add(time.Second)
	e, err := s.open(s.o.ReadOnly)
	if s.lastErr = err; err == nil {
		s.replace(e, why)
		return nil
	}
	if why != nil && s.reopenToRead(why) && !write {
		return nil
	}
	return fmt.Errorf("open broken store %s: %w", s.dir, err)
}

// reopenToRead replaces a broken engine by one that can only read, and reports whether there is one.
func (s *Store) reopenToRead(why error) bool {
	e, err := s.open(true)
	if err != nil {
		s.lastErr = cmp.Or(s.lastErr, err)
		return false
	}
	s.replace(e, why)
	return true
}

func (s *Store) replace(e *engine, why error) {
	old := s.engine
	s.engine = e
	s.changed() // what a write left whose outcome was unknown may be there now, or be gone
	s.reopened.Add(1)
	s.o.Logger.Warn("opened the store anew", "dir", s.dir, "readonly", e.readOnly, "err", why)
	s.retired.Go(func() { _ = old.close() }) // what broke it was logged
}
