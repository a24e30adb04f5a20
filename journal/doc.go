// Package journal stores hits on disk in the order in which they were accepted.
//
// A journal is a folder of segments; a segment is a run of chunks; a chunk is one group commit and the unit of
// checksumming. A position is the ordinal of a hit in its journal, from 0, so that it does not depend on how hits are
// framed. A journal has a random source id, made when it is created. [Open] takes the lock of the folder and repairs what
// a crash left, [Journal.Append] writes, [Journal.Read] follows the log from any position. [List], [Verify] and [Dump]
// read a journal that another process may be writing.
//
// # What is promised
//
// With [AckSync] an Append that returned survives a power cut, with [AckWrite] the end of the process. All hits of one
// Append are in one chunk, next to each other. Readers see only what is synced, so what was read once is never gone. An
// Append that was answered with an error may be there after a restart, but never twice.
//
// One goroutine writes. Whoever waits when it takes the queue goes into the next chunk, so chunks grow with the load and
// with the slowness of the disk; there is no timer.
//
// # Segments that fail
//
// After a failed write or sync it is unknown which bytes of a file reached the disk, so the file is never written again.
// The chunks that are not durable, acknowledged or not, go from memory into a new segment, whose base is the end of what
// is durable. A segment supersedes whatever segments with a smaller epoch hold from its base on: that is how the same
// positions can be in two files and count once. A segment is written and synced under another name and renamed when its
// first chunks are in it, so there is none without a chunk and none whose base does not follow durable hits. If the new
// segment cannot be made either, all who wait get [ErrUnavailable] and the next Append tries again.
//
// # Recovery
//
// A start never writes to an old segment but for its repair. Of all but the last segment it reads only the header: where
// they end is the base of the next one, and that base vouches that everything below it was durable. The last one is
// read whole. A chunk says how many bytes of its segment were synced before it was written. Bytes that are not sound
// and lie below the greatest such offset are damage ([CorruptError]): they stay, are reported, and readers can go on
// behind them ([Reader.Skip]). Bytes that are not sound and lie above it are a torn write: they are copied to a file
// beside the segment, ending in .torn, and cut off. What recovery keeps is synced before anyone sees it.
//
// # Files
//
//	LOCK                                      locked with flock(2) while the journal is open
//	j<16 hex>/IDENTITY                        two lines: "heatlog journal 1" and "source j<16 hex>"
//	j<16 hex>/<base 20 digits>-<epoch 8 hex>.hj       a segment
//	j<16 hex>/<segment>.torn, .torn-2, …      tails that were cut off, for a person to look at
//	j<16 hex>/….tmp                           never finished, removed by Open
//
// Numbers are little endian. A checksum is CRC-32C. Times are Unix ms.
//
// # Segment header
//
//	offset size
//	     0    8  "heatlogJ"
//	     8    2  version of the format: 1
//	    10    2  length of this header: 128
//	    12    4  epoch: number of the segment, one more for every segment of the journal
//	    16    8  base: position of the first hit
//	    24    8  time of creation
//	    32    8  incompat: features without which the segment must not be read
//	    40    8  ro-compat: features without which the journal must not be written
//	    48    8  compat: features that can be ignored
//	    56    8  source id
//	    64    8  append time of the last chunk before the segment, 0 = there is none
//	    72   52  zero
//	   124    4  checksum of bytes 0 to 123
//
// No feature is defined yet. Epoch, base and source repeat the names of file and folder, so that a file in the wrong place
// is found out.
//
// # Chunk
//
// Chunks follow the header without gaps. Each begins at a multiple of 8 bytes.
//
//	offset size
//	     0    4  "HCNK"
//	     4    1  type: 1 = hits, 2 = end of a segment that was closed in order
//	     5    1  flags: bit 0 = payload is one zstd frame, bit 7 = may be skipped by who does not know the type
//	     6    2  length of this header: 64
//	     8    4  length of the payload in the file, without padding, at most 16 MiB
//	    12    4  length of the payload after decompression, at most 16 MiB
//	    16    4  number of hits, at most 65536
//	    20    4  epoch of the segment
//	    24    8  position of the first hit
//	    32    8  append time, never less than that of the chunk before
//	    40    8  durable: bytes of the segment below it were synced before the chunk was written
//	    48    4  checksum of the payload as it is in the file, padding included
//	    52    4  offset of the chunk in the segment, divided by 8
//	    56    4  number of appends
//	    60    4  checksum of bytes 0 to 59
//	    64       payload, padded with zeros to a multiple of 8 bytes
//
// # Payload
//
// A payload is a run of units, each after its length; a unit is what one Append was given and needs nothing outside of it.
// Units are encoded by those who append, side by side, and only concatenated and compressed by the one who writes.
//
// A varint is 7 bits a byte, least significant first. A difference of times is zigzag-coded in 64 bits, one of
// coordinates in 16 bits, where it wraps around; both are varints then. A text is its length as varint and its bytes. A
// string is a varint: 0 is followed by the text, which thereby gets the next number of its unit, from 1; another value is
// the number of a text from before.
//
// A unit is a run of batches. A batch:
//
//	varint   number of hits × 2, plus 1 if the batch has a name
//	string   site, string visitor, text id: if it has a name; site and visitor become the shared fields of the same name
//	         groups, until they hold that many hits
//
// A group is a run of hits that agree in the shared fields. These begin empty in each unit; a group tells what changes:
//
//	byte     bit 0 site, 1 url, 2 view, 3 visitor, 4 user agent, 5 tags, 6 viewport, 7 document size
//	         what changes, in this order: strings; tags as their number and strings; sizes as two varints
//	varint   number of hits
//	         hits
//
// A hit:
//
//	2 bytes  bits 0-1 kind less 1, 2 x, 3 y, 4 depth, 5 dwell, 6 selector, 7 anchor, 8 box, 9 check, 10 pointer, 11 flags,
//	         12 layout, 13 id, 14 container, 15 odd
//	byte     if odd: bit 0 kind, 1 check of a hit without one, 2 anchor
//	byte     kind, if odd bit 0
//	varint   time less that of the hit before
//	varint   x less that of the hit before of the same class, if it differs; a scroll is one class, all else the other
//	varint   y likewise
//	2 varint if depth: from less the predicted one, and depth less from. Predicted are, for a scroll, the depth of the scroll
//	         before (0 at a change of view) and the greater of that and y + viewport height; for other kinds 0
//	varint   dwell
//	string   selector
//	4 bytes  anchor x and y; as two varints, if odd bit 2
//	2 varint width and height of the box
//	2 bytes  check, if there is one or odd bit 1
//	byte     pointer, if it differs from that of the hit before
//	byte     flags
//	4 bytes  layout, if it differs from that of the hit before
//	text     id
//	         container: string, and its offset as two varints
//
// What the hit before means begins at zero in each unit. On mixed traffic (clicks with selectors, scrolls and moves in
// batches of 20, ten appends a chunk) a hit takes about 14 bytes, framing included.
package journal
