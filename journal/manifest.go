package journal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

const (
	manifestName = "MANIFEST"
	// maxManifest is the greatest length of a MANIFEST, bytes.
	maxManifest = 64 << 20
)

// manifest is the list of sealed segments.
type manifest struct {
	first   uint64 // positions below it were pruned
	entries []manifestEntry
	missing bool  // there is no file
	err     error // what is wrong with the file
}

// manifestEntry is a sealed segment as it was when it was sealed.
type manifestEntry struct {
	name  string
	end   uint64
	last  int64 // append time of the last chunk, Unix ms
	bytes int64
	sum   [sha256.Size]byte
}

// entry gives the entry of a segment, nil if there is none.
func (m *manifest) entry(name string) *manifestEntry {
	for i := range m.entries {
		if m.entries[i].name == name {
			return &m.entries[i]
		}
	}
	return nil
}

// put adds an entry or replaces the one of the same name.
func (m *manifest) put(e manifestEntry) {
	m.remove(e.name)
	m.entries = append(m.entries, e)
	slices.SortFunc(m.entries, func(a, b manifestEntry) int { return cmp.Compare(a.name, b.name) })
}

func (m *manifest) remove(name string) {
	m.entries = slices.DeleteFunc(slices.Clone(m.entries), func(e manifestEntry) bool { return e.name == name })
}

// text writes the manifest so that sha256sum -c can check it.
func (m *manifest) text(source uint64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# heatlog manifest 1\n# source %s\n# first %d\n", sourceName(source), m.first)
	for _, e := range m.entries {
		fmt.Fprintf(&b, "# end %d appended %d bytes %d\n%x  %s\n", e.end, e.last, e.bytes, e.sum, e.name)
	}
	fmt.Fprintf(&b, "# checksum %08x\n", checksum(b.Bytes()))
	return b.Bytes()
}

var errManifest = errors.New("manifest is not sound")

// parseManifest is the inverse of manifest.text.
func parseManifest(b []byte, source uint64) (m manifest, err error) {
	at := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte("\n")), '\n') + 1
	if want := fmt.Sprintf("# checksum %08x\n", checksum(b[:at])); string(b[at:]) != want {
		return m, fmt.Errorf("%w: it ends with %.40q, want %q", errManifest, b[at:], want)
	}
	lines := strings.Split(strings.TrimSuffix(string(b[:at]), "\n"), "\n")
	if len(lines) < 3 || len(lines)%2 == 0 || lines[0] != "# heatlog manifest 1" || lines[1] != "# source "+sourceName(source) {
		return m, fmt.Errorf("%w: %d lines, the first %.60q", errManifest, len(lines), lines[0])
	}
	if _, err := fmt.Sscanf(lines[2], "# first %d", &m.first); err != nil {
		return m, fmt.Errorf("%w: line 3: %w", errManifest, err)
	}
	for i := 3; i < len(lines); i += 2 {
		var e manifestEntry
		if _, err := fmt.Sscanf(lines[i], "# end %d appended %d bytes %d", &e.end, &e.last, &e.bytes); err != nil {
			return m, fmt.Errorf("%w: line %d: %w", errManifest, i+1, err)
		}
		sum, name, _ := strings.Cut(lines[i+1], "  ")
		raw, err := hex.DecodeString(sum)
		if n, ok := parseSegmentName(name); err != nil || len(raw) != len(e.sum) || !ok || !n.sealed {
			return m, fmt.Errorf("%w: line %d: %.80q", errManifest, i+2, lines[i+1])
		}
		copy(e.sum[:], raw)
		e.name = name
		m.entries = append(m.entries, e)
	}
	if !bytes.Equal(m.text(source), b) {
		return manifest{}, fmt.Errorf("%w: it is not written as it should be", errManifest)
	}
	return m, nil
}

// readManifest reads the MANIFEST of a source's folder. That it is missing or damaged is noted in it; the error is that of
// a failed read.
func readManifest(fsys FS, dir string, source uint64) (m manifest, err error) {
	path := filepath.Join(dir, manifestName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest{missing: true}, nil
	}
	if err != nil {
		return m, fmt.Errorf("open manifest: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return m, fmt.Errorf("size of manifest %s: %w", path, err)
	}
	if size > maxManifest {
		return manifest{err: fmt.Errorf("%w: %s is %d bytes, limit %d", errManifest, path, size, maxManifest)}, nil
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return m, fmt.Errorf("read manifest %s: %w", path, err)
	}
	if m, err = parseManifest(b, source); err != nil {
		m = manifest{err: fmt.Errorf("read %s: %w", path, err)}
	}
	return m, nil
}

// sumFile gives the SHA-256 of a file and its length.
func sumFile(fsys FS, path string) (sum [sha256.Size]byte, size int64, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return sum, 0, err
	}
	defer f.Close()
	if size, err = f.Size(); err != nil {
		return sum, 0, err
	}
	h := sha256.New()
	buf := make([]byte, readAhead)
	for at := int64(0); at < size; {
		b := buf[:min(int64(len(buf)), size-at)]
		if n, err := f.ReadAt(b, at); n < len(b) {
			return sum, 0, fmt.Errorf("read segment %s:%d: %w", path, at, err)
		}
		h.Write(b)
		at += int64(len(b))
	}
	h.Sum(sum[:0])
	return sum, size, nil
}
