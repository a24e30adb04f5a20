// Package index counts hits: it reads a source in order, keeps live deltas in memory, merges them into blobs in a
// store, and answers queries over both. It counts each hit exactly once, whatever dies when.
//
// # The way of a chunk
//
// A [Stream] is the sequential part: it drops repeats, names the page of a hit by the [Rules], tells device and bot, and
// derives rage clicks. All of that is a pure function of the log. Its events become ops, which are spread over workers
// by page, so one key is always one worker's. A worker owns a shard, which holds the live deltas in an LRU that is
// bounded in bytes, and hands those that are too old or too much to its flusher.
//
// # Exactly once
//
// A page's day and its month are two independent keys. For each key, generation and source the store holds one document
// with a watermark W and a blob that counts every hit of the key below W. An entry in memory holds every hit of its key
// from its first position on. A flush is a compare-and-swap that takes W to the entry's end, and only from a W that is
// not above its first hit; so a retry, a write that lands late or a second owner either goes on exactly where the
// document ends, or changes nothing.
//
// A [checkpoint] is the smallest first position of all entries, live or on their way to the store, at a mark that every
// worker passes at the same position; with no entries it is that position. A start reads the source from there. Up to
// the position that flushes may have gone to, the record high, a hit below the W of its key is skipped. The stream is warmed up
// with what lies before, from the start of the 10-minute bucket before the checkpoint's. When a flush finds that
// somebody else has stored a part of an entry, everything in memory is thrown away and read again from the checkpoint:
// the log and the store together always say what is missing.
//
// A query copies the live entries at a mark of position p, then reads the blobs. An entry that a blob covers by then is
// dropped; a blob with W above p means that a flush came between, and the copy is taken again. So an answer is an exact
// prefix of the log, names its position, and can be recounted from the journal.
//
// If the store does not answer, entries wait until they hold what the cache may; then reading stops and the journal is the
// queue. The record high/SOURCE says how far flushes may have gone; it is raised before they go, so a journal
// that ends below it is an older copy, and what lies above it needs no look-up after a start.
//
// # Records
//
//	generation/GENERATION           what the generation's rules and algorithms are
//	checkpoint/GENERATION/SOURCE    position and append time, decimal, a space between
//	high/SOURCE                     position, decimal
//
// # Scans
//
// What blobs cannot answer, such as an expression over hits, hours, or widths that are not whole bands, is answered by
// reading the source from its start through a stream of its own.
package index
