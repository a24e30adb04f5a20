// Package journaltest has a file system in memory that fails and loses power on demand, for tests of what a journal
// survives.
//
// It is harsher than most disks: a file's content is safe only after its Sync, a name only after the SyncDir of its
// folder, and a Sync that failed takes the bytes for clean, so that a later Sync that succeeds does not write them
// either.
package journaltest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"heatlog/journal"
)

// page is the unit in which content reaches the disk, bytes.
const page = 512

// Fault says how an operation fails.
type Fault int

// The ways to fail.
const (
	EIO        Fault = iota // nothing happens, the error is EIO
	ENOSPC                  // nothing happens, the error is ENOSPC for what needs room; the rest succeeds
	ShortWrite              // a write puts half of its bytes and returns ENOSPC; the rest is as with EIO
	Unknown                 // the operation happens, but returns EIO
	Die                     // the process ends before the operation
)

// FS is a file system in memory. The zero value is empty and ready. It is safe for concurrent use.
type FS struct {
	mu    sync.Mutex
	live  map[string]*node // what a running system sees
	disk  map[string]*node // the names that survive a power cut
	locks map[string]bool
	ops   int
	dead  bool
	plan  func(Op) (Fault, bool)
}

var _ journal.FS = (*FS)(nil)

// node is a file or a folder.
type node struct {
	dir   bool
	data  []byte       // as a running system sees it
	disk  []byte       // what survives a power cut
	dirty map[int]bool // pages of data that a Sync has to write
}

// ErrDead is what every operation returns after Kill or Crash.
var ErrDead = errors.New("the process has ended")

// Op is an operation on a file system.
type Op struct {
	N    int    // from 1, counted since FailWhen
	Kind string // create, open, rename, remove, list, mkdir, syncdir, lock, read, write, truncate, sync
	Name string // path; of a rename the new one
}

// FailWhen makes operations fail as plan says; nil heals. Reads count too. plan must not use f.
func (f *FS) FailWhen(plan func(Op) (Fault, bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.ops = plan, 0
}

// FailAt makes operation n fail once.
func (f *FS) FailAt(n int, fault Fault) {
	f.FailWhen(func(op Op) (Fault, bool) { return fault, op.N == n })
}

// FailFrom makes operation n and all after it fail.
func (f *FS) FailFrom(n int, fault Fault) {
	f.FailWhen(func(op Op) (Fault, bool) { return fault, op.N >= n })
}

// Ops is the number of operations since FailWhen, or since the start.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Kill ends the process that uses f and gives the file system as the next one finds it: everything that was written is
// there and no lock is held.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	return f.clone()
}

// Clone gives a copy of f as it is, without its locks and faults. f goes on.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clone()
}

// clone copies files and names. f.mu is held.
func (f *FS) clone() *FS {
	next := &FS{live: map[string]*node{}, disk: map[string]*node{}}
	copies := map[*node]*node{}
	dup := func(n *node) *node {
		if copies[n] == nil {
			copies[n] = &node{dir: n.dir, data: slices.Clone(n.data), disk: slices.Clone(n.disk), dirty: maps.Clone(n.dirty)}
		}
		return copies[n]
	}
	for name, n := range f.live {
		next.live[name] = dup(n)
	}
	for name, n := range f.disk {
		next.disk[name] = dup(n)
	}
	return next
}

// Crash cuts the power and gives the file system as it is found after: without a byte or a name that was not synced if r is
// nil, else with some of the pages and names that were on their way.
func (f *FS) Crash(r *rand.Rand) *FS {
	next := f.Kill()
	names := maps.Clone(next.disk)
	if r != nil {
		for _, name := range slices.Sorted(maps.Keys(next.live)) {
			if r.IntN(2) == 0 {
				names[name] = next.live[name]
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if next.live[name] == nil && r.IntN(2) == 0 {
				delete(names, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		names[name].lose(r)
	}
	return &FS{live: names, disk: maps.Clone(names)}
}

// lose leaves only what is on the disk, and some of the dirty pages if r is not nil.
func (n *node) lose(r *rand.Rand) {
	if r != nil {
		for _, p := range slices.Sorted(maps.Keys(n.dirty)) {
			if r.IntN(2) == 0 {
				n.flush(p)
			}
		}
	}
	n.data, n.dirty = slices.Clone(n.disk), nil
}

// flush writes one page to the disk.
func (n *node) flush(p int) {
	from, to := p*page, min((p+1)*page, len(n.data))
	if from >= to {
		return
	}
	if len(n.disk) < to {
		n.disk = append(n.disk, make([]byte, to-len(n.disk))...)
	}
	copy(n.disk[from:to], n.data[from:to])
}

// Bytes gives the content of a file as a running system sees it, for reading and for damage.
func (f *FS) Bytes(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.live[filepath.Clean(name)]; n != nil {
		return n.data
	}
	return nil
}

// Put makes a file with this content that survives a power cut, and the folders above it.
func (f *FS) Put(name string, content []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.init()
	name = filepath.Clean(name)
	n := &node{data: slices.Clone(content), disk: slices.Clone(content)}
	f.live[name], f.disk[name] = n, n
	for dir := filepath.Dir(name); f.live[dir] == nil; dir = filepath.Dir(dir) {
		d := &node{dir: true}
		f.live[dir], f.disk[dir] = d, d
	}
}

// Names gives the paths of all files, sorted.
func (f *FS) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.live)) {
		if !f.live[name].dir {
			names = append(names, name)
		}
	}
	return names
}

func (f *FS) init() {
	if f.live == nil {
		f.live, f.disk = map[string]*node{}, map[string]*node{}
	}
	if f.locks == nil {
		f.locks = map[string]bool{}
	}
}

// op counts an operation and gives the fault that it shall have. room says that it needs space. f.mu is held.
func (f *FS) op(kind, name string, room bool) (fault Fault, err error, happens bool) {
	f.init()
	if f.dead {
		return 0, ErrDead, false
	}
	f.ops++
	if f.plan == nil {
		return 0, nil, true
	}
	fault, fails := f.plan(Op{f.ops, kind, name})
	switch {
	case !fails, fault == ENOSPC && !room:
		return 0, nil, true
	case fault == Die:
		f.dead = true
		return fault, ErrDead, false
	case fault == ENOSPC:
		return fault, syscall.ENOSPC, false
	case fault == ShortWrite && room:
		return fault, syscall.ENOSPC, false
	case fault == Unknown:
		return fault, syscall.EIO, true
	}
	return fault, syscall.EIO, false
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Create implements journal.FS.
func (f *FS) Create(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	_, err, happens := f.op("create", name, true)
	if !happens {
		return nil, pathError("create", name, err)
	}
	if d := f.live[filepath.Dir(name)]; d == nil || !d.dir {
		return nil, pathError("create", name, fs.ErrNotExist)
	}
	f.live[name] = &node{}
	if err != nil {
		return nil, pathError("create", name, err)
	}
	return &file{fs: f, node: f.live[name], name: name, writable: true}, nil
}

// Open implements journal.FS.
func (f *FS) Open(name string) (journal.File, error) { return f.open(name, false) }

// OpenWrite implements journal.FS.
func (f *FS) OpenWrite(name string) (journal.File, error) { return f.open(name, true) }

func (f *FS) open(name string, writable bool) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if _, err, _ := f.op("open", name, false); err != nil {
		return nil, pathError("open", name, err)
	}
	n := f.live[name]
	if n == nil || n.dir {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return &file{fs: f, node: n, name: name, writable: writable}, nil
}

// Rename implements journal.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	from, to = filepath.Clean(from), filepath.Clean(to)
	_, err, happens := f.op("rename", to, true)
	if !happens {
		return pathError("rename", from, err)
	}
	if f.live[from] == nil {
		return pathError("rename", from, fs.ErrNotExist)
	}
	f.live[to] = f.live[from]
	delete(f.live, from)
	if err != nil {
		return pathError("rename", from, err)
	}
	return nil
}

// Remove implements journal.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	_, err, happens := f.op("remove", name, false)
	if happens {
		if f.live[name] == nil {
			return pathError("remove", name, fs.ErrNotExist)
		}
		delete(f.live, name)
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	return nil
}

// List implements journal.FS.
func (f *FS) List(dir string) ([]journal.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	if _, err, _ := f.op("list", dir, false); err != nil {
		return nil, pathError("list", dir, err)
	}
	if f.live[dir] == nil {
		return nil, pathError("list", dir, fs.ErrNotExist)
	}
	var entries []journal.Entry
	for _, name := range slices.Sorted(maps.Keys(f.live)) {
		if filepath.Dir(name) == dir && name != dir {
			n := f.live[name]
			entries = append(entries, journal.Entry{Name: filepath.Base(name), Dir: n.dir, Size: int64(len(n.data))})
		}
	}
	return entries, nil
}

// MkdirAll implements journal.FS.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	_, err, happens := f.op("mkdir", dir, true)
	if happens {
		for d := dir; f.live[d] == nil; d = filepath.Dir(d) {
			f.live[d] = &node{dir: true}
			if d == "." || d == "/" {
				f.disk[d] = f.live[d]
			}
		}
	}
	if err != nil {
		return pathError("mkdir", dir, err)
	}
	return nil
}

// SyncDir implements journal.FS.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	_, err, happens := f.op("syncdir", dir, true)
	if happens {
		inside := func(name string, _ *node) bool { return filepath.Dir(name) == dir && name != dir }
		maps.DeleteFunc(f.disk, inside)
		for name, n := range f.live {
			if inside(name, n) {
				f.disk[name] = n
			}
		}
	}
	if err != nil {
		return pathError("sync", dir, err)
	}
	return nil
}

// Lock implements journal.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name = filepath.Clean(name)
	if _, err, _ := f.op("lock", name, true); err != nil {
		return nil, pathError("lock", name, err)
	}
	if f.locks[name] {
		return nil, journal.ErrLocked
	}
	if f.live[name] == nil {
		f.live[name] = &node{}
	}
	f.locks[name] = true
	return closer(func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.locks, name)
		return nil
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }
