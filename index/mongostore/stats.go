package mongostore

import "sync/atomic"

// Stats are counts since Open.
type Stats struct {
	Read      uint64 // documents that Load and Scan gave
	Written   uint64 // documents that swaps wrote
	Conflicts uint64 // documents that swaps left because their watermark was another

	ReadBytes    uint64 // of the blobs read
	WrittenBytes uint64 // of the blobs written

	Trips  uint64 // commands sent, without the driver's own and its repeats of one that failed
	Errors uint64 // commands that gave an error
}

type counts struct {
	read, written, conflicts, readBytes, writtenBytes, trips, errors atomic.Uint64
}

// Stats gives counts. It asks nobody.
func (s *Store) Stats() Stats {
	c := &s.counts
	return Stats{
		Read: c.read.Load(), Written: c.written.Load(), Conflicts: c.conflicts.Load(),
		ReadBytes: c.readBytes.Load(), WrittenBytes: c.writtenBytes.Load(),
		Trips: c.trips.Load(), Errors: c.errors.Load(),
	}
}
