package collector

import "sync/atomic"

// Stats are totals since New.
type Stats struct {
	InRequests, ImportRequests uint64
	InAccepted, ImportAccepted uint64 // hits that the journal has taken
	Bytes                      uint64 // of bodies as they were sent
	UnpackedBytes              uint64 // of the same after decompression

	// Rejected are lines, and tracker's batches, that were refused for what a hit is, by the name of the Reason; every
	// reason is there.
	Rejected map[string]uint64

	Limited      uint64 // requests of trackers whose address had sent too many
	Unauthorized uint64 // tracker's batches of an unknown site or origin
	Broken       uint64 // bodies that broke off, were damaged, too large or of an unknown encoding
	StoreErrors  uint64 // requests that the journal or the index could not take
}

// counters are what Stats is read from.
type counters struct {
	inRequests, importRequests          atomic.Uint64
	inAccepted, importAccepted          atomic.Uint64
	bytes, unpacked                     atomic.Uint64
	rejected                            [numReasons]atomic.Uint64
	limited                             atomic.Uint64
	unauthorized, broken, storeFailures atomic.Uint64
}

// Stats gives the totals. Each is exact; together they are of about one moment.
func (c *Collector) Stats() Stats {
	n := &c.counts
	s := Stats{
		InRequests: n.inRequests.Load(), ImportRequests: n.importRequests.Load(),
		InAccepted: n.inAccepted.Load(), ImportAccepted: n.importAccepted.Load(),
		Bytes: n.bytes.Load(), UnpackedBytes: n.unpacked.Load(),
		Rejected: make(map[string]uint64, numReasons),
		Limited:  n.limited.Load(), Unauthorized: n.unauthorized.Load(), Broken: n.broken.Load(), StoreErrors: n.storeFailures.Load(),
	}
	for r := range numReasons {
		s.Rejected[r.String()] = n.rejected[r].Load()
	}
	return s
}
