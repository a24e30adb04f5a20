package journal

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

const (
	lockName     = "LOCK"
	identityName = "IDENTITY"
)

// folder is what a source's folder holds.
type folder struct {
	source     uint64
	dir        string
	segments   []*segment // those that hold hits that count, ascending
	sealedOver []string   // names of those that are there sealed too
	unsound    []string   // names of sealed ones that are not sound beside those that they were made of
	manifest   manifest
	superseded []string // names of those that were given up before anything in them was durable
	leftovers  []string // names of files that were never finished
	epoch      uint32   // greatest epoch of all segments
	tail       tail     // of the last segment
	appended   int64    // append time of the last chunk, Unix ms
	readOnly   bool     // a segment has features that must not be written beside
}

// last is the last segment, nil if there is none.
func (f *folder) last() *segment {
	if len(f.segments) == 0 {
		return nil
	}
	return f.segments[len(f.segments)-1]
}

// newSource gives a random source id.
func newSource() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// identity is the text of the IDENTITY file.
func identity(source uint64) string { return "heatlog journal 1\nsource " + sourceName(source) + "\n" }

// createSource makes the folder of a source with its IDENTITY, or what of it a crash left out.
func createSource(fsys FS, dir string, source uint64) error {
	sub := filepath.Join(dir, sourceName(source))
	if err := fsys.MkdirAll(sub); err != nil {
		return fmt.Errorf("make journal folder: %w", err)
	}
	path := filepath.Join(sub, identityName)
	if err := writeFile(fsys, path, []byte(identity(source))); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// syncFolders makes the names of a source's files, of its folder and of the journal's folder durable. Every start does
// it: the one that made them may have ended before it came to that.
func syncFolders(fsys FS, sub string) error {
	dir := filepath.Dir(sub)
	for _, d := range []string{sub, dir, filepath.Dir(dir)} {
		if err := fsys.SyncDir(d); err != nil {
			return fmt.Errorf("sync folder %s: %w", d, err)
		}
	}
	return nil
}

// writeFile puts a small file in place in one step. The folder is not synced.
func writeFile(fsys FS, path string, content []byte) error {
	f, err := fsys.Create(path + tmpSuffix)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fsys.Rename(path+tmpSuffix, path)
}

// checkIdentity compares the IDENTITY of a source's folder with its name; ok is false if there is none.
func checkIdentity(fsys FS, dir string, source uint64) (ok bool, err error) {
	path := filepath.Join(dir, identityName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open journal identity: %w", err)
	}
	defer f.Close()
	want := identity(source)
	b := make([]byte, len(want)+1)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) { // it is to be shorter than b
		err = nil
	}
	if string(b[:n]) != want {
		return false, fmt.Errorf("journal identity %s does not say %q: %w", path, strings.TrimSpace(want), errors.Join(ErrIdentity, err))
	}
	return true, nil
}

// loadFolder reads the folder of a source without a change to it: the names of its segments, their headers, and all of
// the last one.
func loadFolder(fsys FS, dir string, source uint64) (*folder, error) {
	f := &folder{source: source, dir: dir}
	entries, err := fsys.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list source folder: %w", err)
	}
	var names []segmentName
	for _, e := range entries {
		if name, ok := parseSegmentName(e.Name); ok {
			names = append(names, name)
			f.epoch = max(f.epoch, name.epoch)
		} else if strings.HasSuffix(e.Name, tmpSuffix) {
			f.leftovers = append(f.leftovers, e.Name)
		}
	}
	if names, err = f.pairs(fsys, names); err != nil {
		return nil, err
	}
	if f.manifest, err = readManifest(fsys, dir, source); err != nil {
		return nil, err
	}
	f.pick(names)
	f.addMissing()
	for i, s := range f.segments {
		if s.missing() {
			continue
		}
		if err := f.load(fsys, s, i == len(f.segments)-1); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// addMissing gives those sealed segments a place that MANIFEST lists between others and that are not there, so that what they
// held is told as lost with them, and not as damage of the one before.
func (f *folder) addMissing() {
	if len(f.segments) == 0 {
		return
	}
	first, last := f.segments[0], f.last()
	for i := range f.manifest.entries {
		e := &f.manifest.entries[i]
		name, _ := parseSegmentName(e.name)
		known := func(s *segment) bool { return s.epoch == name.epoch || s.base == name.base }
		if name.base <= first.base || name.base >= last.base || name.epoch >= last.epoch || slices.ContainsFunc(f.segments, known) {
			continue
		}
		at, _ := slices.BinarySearchFunc(f.segments, name.base, func(s *segment, base uint64) int { return cmp.Compare(s.base, base) })
		f.segments = slices.Insert(f.segments, at, &segment{
			base: name.base, end: f.segments[at].base, epoch: name.epoch, name: name, path: filepath.Join(f.dir, e.name),
			limit: wholeFile, last: e.last, damage: ErrMissing,
		})
		f.segments[at-1].end = name.base
	}
}

// missing reports whether there is no file of the segment.
func (s *segment) missing() bool { return s.damage == ErrMissing }

// pairs leaves out one of two forms of a segment: a crash came when it had been sealed. The sealed one counts if it is
// sound.
func (f *folder) pairs(fsys FS, names []segmentName) (kept []segmentName, err error) {
	for _, n := range names {
		if !slices.Contains(names, n.as(!n.sealed)) {
			kept = append(kept, n)
			continue
		}
		if !n.sealed {
			continue
		}
		err := checkSealed(fsys, filepath.Join(f.dir, n.String()), n, f.source)
		switch {
		case errors.As(err, new(ioError)), errors.As(err, new(*VersionError)):
			return nil, err
		case err != nil:
			f.unsound = append(f.unsound, n.String())
			n.sealed = false
		default:
			f.sealedOver = append(f.sealedOver, n.as(false).String())
		}
		kept = append(kept, n)
	}
	return kept, nil
}

// pick chooses the segments that count: a later epoch supersedes earlier ones from its base on.
func (f *folder) pick(names []segmentName) {
	slices.SortFunc(names, func(a, b segmentName) int { return cmp.Compare(b.epoch, a.epoch) })
	for i, n := range names {
		if last := len(f.segments) - 1; i > 0 && n.base >= f.segments[last].base {
			f.superseded = append(f.superseded, n.String())
			continue
		}
		f.segments = append(f.segments, &segment{base: n.base, epoch: n.epoch, name: n, path: filepath.Join(f.dir, n.String()), limit: wholeFile})
	}
	slices.Reverse(f.segments)
	for i := 1; i < len(f.segments); i++ {
		f.segments[i-1].end = f.segments[i].base
	}
}

// load reads the header and the first chunk's header of a segment, and all of it if it is the last.
func (f *folder) load(fsys FS, s *segment, last bool) error {
	file, err := fsys.Open(s.path)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("size of segment %s: %w", s.path, err)
	}
	s.bytes = size
	var sc scanner
	sc.reset(file, s.name, size)
	if s.name.sealed {
		return f.loadSealed(&sc, s, last)
	}
	h, err := sc.segmentHeader(f.source)
	switch {
	case errors.As(err, new(*VersionError)), errors.As(err, new(ioError)):
		return err
	case err != nil && last && size < segmentHeaderSize: // torn, or what a repair leaves of that
	case err != nil && size > 0:
		s.damage = err
	}
	f.readOnly = f.readOnly || h.roCompat&^knownRoCompat != 0
	f.appended = max(f.appended, h.appended)
	if first, err := sc.header(segmentHeaderSize, s.base, ^uint64(0)); err == nil {
		s.appended = first.appended
		f.appended = max(f.appended, first.appended)
	}
	if !last {
		return nil
	}
	if f.tail, err = scanTail(&sc, s.path); err != nil {
		return err
	}
	s.end, s.limit, s.marks = f.tail.end, f.tail.limit, f.tail.marks
	f.appended = max(f.appended, f.tail.appended)
	return nil
}

// loadSealed reads what leads into a sealed segment. If it is the last one, it ends where its header, its footer or MANIFEST
// says, whether all of it is there or not, so that no position is given out twice.
func (f *folder) loadSealed(sc *scanner, s *segment, last bool) error {
	h, end, err := s.loadSealed(sc, f.source)
	if err != nil {
		return err
	}
	f.readOnly = f.readOnly || h.roCompat&^knownRoCompat != 0
	f.appended = max(f.appended, h.appended, s.last)
	if !last {
		return nil
	}
	blocks, appended, err := sc.blocksEnd()
	if err != nil {
		return err
	}
	f.appended = max(f.appended, appended)
	if e := f.manifest.entry(s.name.String()); e != nil {
		end = max(end, e.end)
		f.appended = max(f.appended, e.last)
	}
	s.end = max(s.base, end, blocks)
	f.tail = tail{end: s.end, limit: sc.limit, size: sc.limit, appended: f.appended, ended: true}
	return nil
}

// segmentHeader reads the header of the segment.
func (s *scanner) segmentHeader(source uint64) (h segmentHeader, err error) {
	b, err := s.bytes(0, int(min(segmentHeaderSize, s.limit)))
	if err != nil {
		return h, err
	}
	return parseSegmentHeader(b, s.name, source)
}

// freeName gives path, or path with the first number that makes it free.
func freeName(fsys FS, path string) (string, error) {
	entries, err := fsys.List(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("list source folder: %w", err)
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == filepath.Base(name) })
	}
	free := path
	for n := 2; taken(free); n++ {
		free = fmt.Sprintf("%s-%d", path, n)
	}
	return free, nil
}
