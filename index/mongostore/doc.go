// Package mongostore keeps the index's documents and records in a database of MongoDB 4.4 or later: the store of a site that
// outgrows one machine's disk. It is an [index.Store]; [Open] makes one.
//
// It uses only what a replica set, a sharded cluster and services like Atlas all have: find, insert, update and delete in two
// collections, each with the index on _id that every collection has. A test holds the list of commands.
//
// # Documents
//
// Collection docs holds a document per generation, key and source:
//
//	_id  text    what it is of, see below
//	w    int64   the bits of its watermark, not 0
//	b    binary  the blob as it was given, subtype 0
//
// The names w and b are the format's version: a later format has others. A document with another field, or without these, is
// another version's: reading it is an error that names it, and no filter of a write matches it.
//
// An _id is generation, site, page, period and source one behind the other, so that ids order as what they stand for, and a
// page's periods are one run of the index. It is ASCII, which all servers order alike:
//
//	text    each byte as it is, but 0x00 to 0x21 as '!' and two hex digits, 0x7e to 0xff as '~' and two; then a space
//	period  the number of its digits, '1' to '6', and the digits to base 64, most significant first
//	source  if it is 32 hex digits: those 16 bytes as 22 digits to base 64. If not: the greatest of these that is below it,
//	        '~', and the text; without such a one '!' and the text
//
// The digits to base 64 are - 0 to 9 A to Z _ a to z, in this order. A page's id has about 35 bytes beside generation, site and
// page; it is there twice, in the document and in the index, which WiredTiger writes without what neighbours begin with alike.
//
// # Records
//
// Collection records holds a document per record: _id is its name, v its value (binary). Record "format" says "heatlog store
// 1"; a database with another one, or with documents and no such record, is refused.
//
// # Compare-and-swap
//
// A write of a new document is an insert: E11000 says that there is one. A write of one that is there replaces it where _id
// and w are as they must be, never inserting. One document changes in one step, on every kind of deployment, and this is all
// that exactness rests on. Inserts go as unordered bulk writes, so do replacements. The answer to a bulk of inserts names
// those that were there already. The answer to a bulk of replacements says only how many matched:
//
//   - as many as were sent: all were applied; none: none was
//   - else w is read back, later than the write in a causally consistent session where there are sessions. A watermark only
//     grows, so a document below New was not written. If exactly as many remain as matched, those were applied
//   - if more remain, somebody else writes the same documents to the same or to later watermarks, and the answer is an error:
//     the outcome is unknown, the index loads the documents and sees. Up to eight replacements are sent as commands of their
//     own, whose answers leave no doubt
//
// A second owner of the source that writes the same New has merged the same hits into the same document, as only one of the
// two can have matched; so whoever of them reads that watermark later rightly takes its hits for stored.
//
// Writes are acknowledged by a majority of the members, journaled. Any other answer (a lost connection, a time-out, a write
// concern error, a member that is no longer the primary) is an error, which means that each write may have happened, may never
// happen, or may happen later, as the compare-and-swap that it is. Where there are sessions, the driver sends a write again
// by itself until its time is over (retryWrites); the server then knows a statement that it has done and answers as it did,
// so that the numbers stay right. It is not what makes writes safe: nothing here depends on it.
//
// # Reading
//
// Load, Record, Sites read from the primary what a majority has. So does Scan, unless Options.ReadPreference says otherwise:
// then it asks another member, in a causally consistent session that is moved on to the latest time in any answer that this
// process has had from a write or from a read of the primary. So its answer holds all that this process has stored or knows to
// be stored. Where there are no sessions (a standalone server), and before the first answer, the primary is asked. A member that lags too
// far behind is not waited for: after half the time-out the primary is asked.
//
// A page's months and days are one find and, up to 16 MiB, one answer. A cursor that is lost in the middle is taken up behind
// the last document.
//
// # Shards
//
// Both collections may be sharded by {_id: 1}; nothing here needs it to be done, and the shard key is in every filter, so that
// no command is sent to all shards but a scan of everything. Ranges spread by page: today's documents lie at their pages, all over the
// key space, not at its end. What they do not spread is a new generation: its name is what all of its ids begin with, so that
// its first documents fall into one range, until that is split. Copy the splits of the old generation before a replay: each
// bound of a chunk that begins with the old name, with the new name in its place.
package mongostore
