package journaltest

import (
	"errors"
	"io"
	"io/fs"

	"heatlog/journal"
)

// file is an open file. All that it reads and writes is guarded by FS.mu.
type file struct {
	fs       *FS
	node     *node
	name     string
	writable bool
	closed   bool
	at       int64 // where Write goes on
}

var _ journal.File = (*file)(nil)

var errReadOnly = errors.New("file was opened for reading")

// op counts an operation on the file.
func (f *file) op(kind string, room bool) (fault Fault, err error, happens bool) {
	if f.closed {
		return 0, pathError(kind, f.name, fs.ErrClosed), false
	}
	fault, err, happens = f.fs.op(kind, f.name, room)
	if err != nil {
		err = pathError(kind, f.name, err)
	}
	return fault, err, happens
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err, _ := f.op("read", false); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements io.Writer.
func (f *file) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n, err := f.writeAt(b, f.at)
	f.at += int64(n)
	return n, err
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.writeAt(b, off)
}

func (f *file) writeAt(b []byte, off int64) (int, error) {
	if !f.writable {
		return 0, pathError("write", f.name, errReadOnly)
	}
	fault, err, happens := f.op("write", true)
	switch {
	case err != nil && fault == ShortWrite:
		b = b[:len(b)/2]
	case !happens:
		return 0, err
	}
	f.put(b, off)
	return len(b), err
}

// put changes the content and notes the pages that became dirty.
func (f *file) put(b []byte, off int64) {
	n := f.node
	if grow := off + int64(len(b)) - int64(len(n.data)); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	}
	copy(n.data[off:], b)
	f.soil(off, off+int64(len(b)))
}

// soil notes that the pages of a range are dirty.
func (f *file) soil(from, to int64) {
	n := f.node
	if n.dirty == nil {
		n.dirty = map[int]bool{}
	}
	for p := int(from / page); int64(p)*page < to; p++ {
		n.dirty[p] = true
	}
}

// Truncate implements journal.File.
func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	_, err, happens := f.op("truncate", false)
	if n := f.node; happens && int64(len(n.data)) > size {
		n.data = n.data[:size:size]
		f.soil(size-1, size)
	}
	return err
}

// Sync implements journal.File. One that fails takes all pages for clean.
func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	_, err, happens := f.op("sync", true)
	if happens {
		n := f.node
		for p := range n.dirty {
			n.flush(p)
		}
		switch grow := len(n.data) - len(n.disk); {
		case grow > 0:
			n.disk = append(n.disk, make([]byte, grow)...)
		case grow < 0:
			n.disk = n.disk[:len(n.data):len(n.data)]
		}
	}
	if !f.closed && !f.fs.dead {
		f.node.dirty = nil
	}
	return err
}

// Size implements journal.File.
func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, pathError("size", f.name, fs.ErrClosed)
	}
	return int64(len(f.node.data)), nil
}

// Close implements journal.File.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}
