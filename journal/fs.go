package journal

import "io"

// FS is what a journal needs of a file system. The zero Options use that of the operating system; tests use one that
// fails and loses power. Paths are those of path/filepath. All methods are safe for concurrent use.
type FS interface {
	// Create makes a file for reading and writing, empty if it was there.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenWrite opens a file that exists for reading and writing, without a change to it.
	OpenWrite(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List gives what a folder holds, in order of name. The error of a folder that does not exist is fs.ErrNotExist.
	List(dir string) ([]Entry, error)
	// MkdirAll makes a folder and those above it.
	MkdirAll(dir string) error
	// SyncDir makes what was created, renamed or removed in a folder durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock that ends with Close or with the process. The error is ErrLocked if another holds it.
	Lock(name string) (io.Closer, error)
}

// Entry is a member of a folder.
type Entry struct {
	Name     string
	Dir      bool
	Size     int64 // bytes, of a file
	Modified int64 // when it was last written, Unix ms, 0 = unknown
}

// File is an open file of an FS. Write goes on at the end of what was written.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Writer
	Truncate(size int64) error
	// Sync makes the content durable. After an error it is unknown what is.
	Sync() error
	Size() (int64, error)
	Close() error
}
