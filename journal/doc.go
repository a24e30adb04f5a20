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
// # Sealing
//
// A full segment, that is any but the last, can be sealed: [Journal.Seal] and, with Options.Seal, the background rewrite it as
// columns. Positions, chunks, batches and append times stay exactly as they were, so nobody can tell by reading. The new
// file is written under another name, synced, read back and compared with the old one hit by hit, renamed, and its name
// is synced; then MANIFEST lists it and the old file goes. A crash at any step leaves the old file, the new one or both;
// where both are there, a start takes the sealed one if all its checksums are right. A segment with damage in it is not
// sealed, for its bytes may still be worth something to a person. The background seals one source at a time, in memory that does not
// grow with the segment, on a thread of the lowest priority where the system has such.
//
// MANIFEST lists the sealed segments with their SHA-256, so that copies can be checked (sha256sum -c). It is made anew by
// the next Seal when it is missing or damaged; no hit depends on it. [Journal.Prune] deletes sealed segments
// of all sources, the oldest first.
//
// A damaged block costs its hits and no others: each decodes alone, and is found by its neighbours' lengths, by the footer or
// by its marker. Where a sealed segment ends is in its header, so that what is lost is known however much of it is gone.
//
// # Frozen sources
//
// A journal whose next positions were given out before, because it is an older copy, must not be written. [Journal.Freeze]
// ends its source for good and goes on under a new one in the same folder, from position 0. One source is written, the
// others are frozen: they are read to their end ([Journal.Frozen]), their last segment is full and can be sealed, and List,
// Verify and Dump show them, and Prune deletes of them what is old, all of it in the end: then MANIFEST and the file beside the
// folder say where the source ended, which is its first position and its last. A start cuts off the torn tail of a frozen source as of any other; a copy can have one.
//
// That a source is frozen says a file beside its folder, and only that: so it stays frozen when its folder is put back from a
// copy. A folder in which all sources are frozen gets a new one at the next start; with two that are not, none is opened.
//
// # Files
//
//	LOCK                                      locked with flock(2) while the journal is open
//	j<16 hex>.frozen                          the source is frozen; four lines: "heatlog journal 1", "frozen j<16 hex>", "order N" with
//	                                          1 for the one that was frozen first, and "end N", where it ended then
//	j<16 hex>/IDENTITY                        two lines: "heatlog journal 1" and "source j<16 hex>"
//	j<16 hex>/<base 20 digits>-<epoch 8 hex>.hj       a segment
//	j<16 hex>/<base 20 digits>-<epoch 8 hex>.hjs      a sealed segment
//	j<16 hex>/MANIFEST                        the list of sealed segments
//	j<16 hex>/….bad, .bad-2, …                sealed segments and MANIFESTs that were not sound, for a person to look at
//	j<16 hex>/<segment>.torn, .torn-2, …      tails that were cut off, for a person to look at
//	j<16 hex>/….tmp                           never finished, removed by Open
//
// Numbers are little endian. A checksum is CRC-32C. Times are Unix ms.
//
// # Segment header
//
//	offset size
//	     0    8  "heatlogJ", or "heatlogS" if it is sealed
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
//	    72    8  of a sealed one: position after the last hit, else 0
//	    80   44  zero
//	   124    4  checksum of bytes 0 to 123
//
// Bit 0 of incompat says that chunks may be S2 blocks; no other feature is defined yet. Epoch, base and source repeat the names of file and folder, so that a file in the wrong place is
// found out. What the index made of a batch is in no segment: package index says why.
//
// # Chunk
//
// Chunks follow the header without gaps. Each begins at a multiple of 8 bytes.
//
//	offset size
//	     0    4  "HCNK"
//	     4    1  type: 1 = hits, 2 = end of a segment that was closed in order, 3 = block and 4 = footer of a sealed one
//	     5    1  flags: bit 0 = payload is one zstd frame, bit 1 = one S2 block, bit 7 = may be skipped by who does not know the type
//	     6    2  length of this header: 64
//	     8    4  length of the payload in the file, without padding, at most 16 MiB, of a sealed segment 64 MiB
//	    12    4  length of the payload after decompression, with the same limits
//	    16    4  number of hits, at most 65536
//	    20    4  epoch of the segment
//	    24    8  position of the first hit
//	    32    8  append time, never less than that of the chunk before; of a block that of its last chunk
//	    40    8  durable: bytes of the segment below it were synced before the chunk was written
//	    48    4  checksum of the payload as it is in the file, padding included
//	    52    4  offset of the chunk in the segment, divided by 8
//	    56    4  number of appends; of a block the number of chunks in it
//	    60    4  checksum of bytes 0 to 59
//	    64       payload, padded with zeros to a multiple of 8 bytes
//
// # Payload of hits
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
// batches of 20, ten appends a chunk) a hit takes about 16 bytes, framing included.
//
// # Sealed segment
//
// Its header is followed by blocks, a footer and a trailer of 16 bytes: the footer's offset (8), the checksum of that (4),
// "HSND". Blocks and footer are framed as chunks are. A block takes chunks up to 32,768 hits, a single larger one, or until
// 4 MiB of texts.
//
// The payload of a footer is four numbers: blocks (4 bytes), sites (4; 2^32-1 = more than 1,024, not listed), hits (8), chunks
// (8), and 8 bytes of zero. Then for each block
//
//	offset size
//	     0    8  offset of the block in the segment
//	     8    8  position of the first hit
//	    16    8  number of hits, number of chunks
//	    24   16  append time of the first chunk, of the last one
//	    40   16  least and greatest time of a hit
//	    56    8  zero
//
// then for each block the set of its sites as bits in words of 8 bytes, then the sites, each after its length in 2 bytes.
//
// # Payload of a block
//
// It begins with 16 counts of 4 bytes: batches, runs, contexts, pages, URLs, elements, lists of tags, tags in them, and the
// texts of sites, views, visitors, user agents, tags, selectors, containers and suffixes. Then comes the number of streams
// and for each an entry of 12 bytes; then the streams.
//
//	offset size
//	     0    1  column; a reader leaves out what it does not know
//	     1    1  plane: 0 = lowest byte of all values, up to 7; 8 = texts, one behind the other
//	     2    1  0 = as it is, 1 = one zstd frame, 2 = one byte that all are
//	     3    1  zero
//	     4    4  length after decompression
//	     8    4  length in the payload
//
// A plane that is not there is zero. The raw length of a chunk of type 3 is that of counts, directory and all streams after
// decompression, at most 64 MiB. Columns, in the order of what they belong to; s marks a difference that is zigzag-coded,
// f a number that is 0 for what comes the first time and else how many came first since, t lengths with texts:
//
//	chunk    1 batches; 2 append time less that of the chunk before, from 0
//	batch    3 flags: bit 0 named, 1 the id is the first hit's view and a suffix, 2 site or visitor is not the first hit's;
//	         4 runs less 1; 5 suffix; 6t id if it is named without suffix; 7t, 8t site and visitor if bit 2
//	run      hits that agree in a context: 9 their number less 1; 10f context; 11s append time less the first hit's time
//	context  12 page; 13f view; 14f visitor; 15 what is not as predicted: bit 0 user agent (16), 1 list of tags (17), 2 viewport
//	         height (18), 3 document width (19s, less viewport width), 4 document height (20), 5 layout (21), 6 pointer (22)
//	page     23 the URL is another than the page's before; 24 viewport width; 25 elements
//	URL      26 site
//	element  27 selector; 28 bit 0 box width (29), 1 box height (30), 2 check (31) differ from the last element with that
//	         selector, 3 has a check; 32, 33 place of its box
//	tags     34 length of each list; 35 tags
//	hit      40 head: bits 0-1 kind less 1, 2 on an element, 3 flags (51), 4 rare (52); 41s time less that of the hit before in
//	         the run
//	         on an element: 42 its number in the page; 43, 44 anchor: 0 to 1000 = thousandths, else 1001 more than it;
//	         45s, 46s place less that of the box, the anchor in it and, if fixed, the top of the window
//	         else of a click or move: 47 x; 48 y less the top of the window; of a scroll: 49s y less the one before
//	         scrolls: 50 dwell
//	rare     bit 0 kind (53), 1 pointer (54), 2 anchors as they are (55, 56), 3 container (57) and its offset (58, 59), 4 id (60t),
//	         5 place as it is (61, 62), 6 dwell (63), 7 from and depth as they are (64, 65)
//	texts    80 sites, 81 URLs, 82 views, 83 visitors, 84 user agents, 85 tags, 86 selectors, 87 containers, 88 suffixes
//
// A context is predicted from the last one of its visitor (user agent, tags, viewport height, pointer), its page (document,
// layout) or, where there is none, its URL (layout); the document is as wide as the viewport where nothing is known. The
// pointer is that of a context's clicks and moves; other kinds have none. The top of the window is the y of the last scroll of
// the context, and from and depth are predicted as in a chunk, for each context.
//
// On the bench stream at 10 hits a view a sealed hit takes 7.8 bytes, and 8.2 with clicks alone.
//
// # What an append costs
//
// The limit is the disk's sync: one takes 0.2 to 0.6 ms here, whatever is in the chunk, so what can be gained is that more
// appends share one. Over 1,000 connections on one core a chunk holds about 180 appends of 20 hits, and an append costs 4.1 µs of
// CPU: 1.5 to encode it (0.6 to 0.9 with nothing else in the caches), 0.2 in the queue, 0.6 to wait and wake up, 0.9 to compress and
// frame, 0.7 to sync, 0.2 to write and show it to readers. S2 writes 276 bytes for 20 hits of mixed traffic where zstd wrote
// 230, in 0.5 in place of 2.3 µs, and reads them in 0.15 in place of 0.5; sealing takes the difference back.
//
//	go test ./journal -run ^$ -bench 'Encode|Decode|Append|Pack|Read|Seal' -cpu 1
//
// # What reading columns costs
//
// Who needs some fields of the hits only says so (Log.ReadFields), and gets the log in pieces that can be read side by side, with
// what the footers tell of times and sites (Log.Spans), so that some need not be read at all. Millions of hits that one core
// reads in a second from a sealed segment of mixed traffic, where every batch is a visitor of its own and every tenth hit an element of
// its own, beside what it takes to read and decompress the same columns alone; in brackets what was reached on a machine with
// nothing else to do:
//
//	                                            decompressed    hits
//	all columns                                           55    16.5 (18)
//	a heatmap of vw < 800 && y > 1000                     75    18 (21)
//	the same, by a reader for each block                        19
//	time and viewport                                    165    39 (43)
//
// The heatmap needs time, site, URL, user agent, view, viewport, flags, place, id and the batches' names. Of its 50 ns a hit 25 % is
// decompression, 28 % makes numbers of planes and rebuilds elements and contexts, 16 % copies what a run has in common into a
// Hit of 208 bytes, 20 % is what is each hit's own, its place above all, which is predicted from the element, the anchor and the
// last scroll; the rest is names, the file and its checksum. A place is therefore nearly as dear as everything; without
// one, the copying is most of it.
//
//	go test ./journal -run ^$ -bench ReadFields -cpu 1
package journal
