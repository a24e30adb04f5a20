// Package pebblestore keeps the index's documents and records in one folder, in a Pebble database: the store of a single
// machine. It is an [index.Store]; [Open] makes one.
//
// # Keys
//
// The first byte of a key is its keyspace. A text is written with each 0x00 as 0x00 0xff and 0x00 0x01 after its end, so
// that keys order as the texts do, and no text is confused with one that it begins.
//
//	document  'd' generation text, site text, page text, period (4 bytes, big-endian), source (to the end)
//	record    'r' name (to the end)
//	format    'v' alone: the version of all of this
//	number    "nn": of the last commit, 8 bytes, big-endian
//	count     "nc": of all commits that are there, numbers as above whose sum counts
//
// A scan of a page is therefore one run of keys in the order that [index.Store] asks for, and a scan seeks from one wanted
// run of periods to the next.
//
// # Values
//
// A document's value is a version byte (1), the watermark as a uvarint, and the blob as it was given. A record's value is
// what was given. The format's value is "heatlog store " and the version in decimal; a folder with another one is refused.
//
// # Writing
//
// A swap checks the watermarks and applies what still matches under one mutex, and waits for the write-ahead log outside
// of it, so that swaps from several goroutines share an fsync. What Load and Record give back is durable: they wait for the
// fsync of what they may have read.
//
// # Failure
//
// A failed write to the write-ahead log or to the manifest (a full disk, one that turned read-only) breaks the open
// database: nothing tells what of it reached the disk. The store then fences it off, so that it can never write again, and
// opens the folder anew for the next call, at most once a second. Until that works every call gives an error. Nothing that
// a call has reported as done is lost by it. Damage (a bad checksum) is an error of the call that met it.
//
// Damage that no checksum tells is a manifest that ends early, between two of its records, as in a copy that was made of a
// running store. Pebble goes on from the tables that are left in it and the logs that are there, and one in between may have
// been written over since. Documents of an old commit with a checkpoint of a new one would be counts that are silently too
// low. So each commit sets its number and adds one to a count, in the same batch: an open where the two differ has lost a
// commit before the last one and is refused, before anything in the folder is changed. What passes is every commit up to
// some one, which may be older than the last: the index counts on from its checkpoint. Commits from before they were
// numbered are not in either.
package pebblestore
