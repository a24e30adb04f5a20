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
// with what lies before, from the start of the last 10-minute bucket of append time before the checkpoint's that holds a
// hit. When a flush finds that
// somebody else has stored a part of an entry, everything in memory is thrown away and read again from the checkpoint:
// the log and the store together always say what is missing.
//
// A query copies the live entries at a mark of position p, then reads the blobs. An entry that a blob covers by then is
// dropped; a blob with W above p means that a flush came between, and the copy is taken again. So an answer is an exact
// prefix of the log, names its position, and can be recounted from the journal.
//
// If the store does not answer, entries wait until they hold what the cache may; then reading stops and the journal is the
// queue. The record high/GENERATION/SOURCE says how far flushes may have gone; it is raised before they go, so a journal
// that ends below it is an older copy, and what lies above it needs no look-up after a start.
//
// # Damage
//
// Damage that ends below the checkpoint lies where all is counted: only the stream reads there, to warm up. It goes on
// behind, so what stands in the damaged chunks is not told as a repeat. Elsewhere damage ends reading, unless the source
// passes over it: the pipeline stores what it has and stands still at the position where the damage begins. An answer
// then names that position. Every hit below is counted; where flushes had been further before the start, hits
// above are too, of some keys, for nothing can say which.
//
// # Several sources
//
// A journal that ends below its high must not be written: documents hold hits of its next positions already, so new ones
// there would be taken for stored. [Open] refuses it with a [JournalBehindError]; the caller freezes it and opens
// again with a new source, and the old one among Options.Frozen.
//
// Each source is applied by pipelines of its own. Documents, checkpoint, high and the stream that tells repeats are per
// source, so nothing of what is said above about one source depends on another, and the argument holds for each:
//
//   - A new source has a random id. No record and no document names it, so its checkpoint, high and watermarks are 0 and no
//     hit of it is skipped, wherever the older source ended.
//   - A frozen source is applied from its checkpoint to its end E as after any start. What it still has is a prefix of
//     what it had, so a document with W <= E means the same as before. One with W > E, from before hits were
//     lost, holds all hits of its key below E: they are skipped, and no flush touches it. When all is stored and the
//     checkpoint has reached E, the pipeline ends. Later starts find that and make none, unless a longer copy is put back:
//     then what lies between is applied, and what documents hold of it is skipped.
//   - An answer takes a mark in each pipeline and then reads all blobs once. Of each source it holds an exact prefix. A
//     frozen source with high > E is asked for only when it is applied to E, as its blobs may be ahead of any mark before.
//
// Hits that a frozen source lost stay counted as far as they were stored: they were acknowledged. So the position named for
// it is the greatest below which every hit is counted: E, or the checkpoint if that is above. Up to high there may be more,
// of some keys; after an orderly stop checkpoint and high are the same and the position is exact. Scans
// and exports see what the source has: they name E. A source that only the store has hits of is named by its
// checkpoint, with the same meaning.
//
// What cannot be told by positions: copies of one source that was written on from two copies, each after the store had
// nothing above. Once a copy is written, others that go further must not be put back. Where several processes reach the store, a
// [Lease] refuses a second one, and tells one that stood still from where on its hits are its own: there its source is cut, see
// [CutAt], and so is one to which hits were added before the store could be asked whether it is an older copy. And repeats are told within a
// source: a batch sent again after a freeze counts again. What a frozen source holds may
// change, when it is pruned or a longer copy is put back: a verdict that rested on it would be another one in a replay than it
// was live.
//
// # Elements
//
// A click with an anchor is counted at its place on the page and inside its element; so are the bursts and dead clicks that are
// derived from it, at the anchor that the stream remembers of it. A blob names elements by hashes. What these stand for is in
// the blob of the month alone: a day would spend more on selectors than on hits. An entry of a day keeps the names until it has
// been added to its month. A question about days reads the blobs of their months too, for the names; every hit goes into both, so
// the month has the name of each element that a click of its days was at. An element that only bursts or dead clicks of a month
// were at, because the clicks came before midnight of its first day, has none there.
//
// What was counted before has no anchors. Its recorded algorithms do not name elements/1, and so it goes on.
//
// # Sampled hits
//
// An owner may have a share of page loads recorded alone. Their hits have a tag that says the share, heatmap.SampledTag, and
// counts are what was recorded: nothing is multiplied. So that no one takes them for all, each day and month has beside its
// visitors how many of its hits have such a tag, of people and of bots, and the least share among them. As visitors they are of
// the page, whatever the kind, width and device; a click that repeat_clicks leaves out is none. Generations whose recorded
// algorithms do not name sampled/1 go on without.
//
// # Repeats
//
// Which batches are repeats is found out anew by whoever reads a log: live, after a start and in a replay. To write the verdict
// into sealed segments would save 2 % of a replay (0.02 us of 0.8 us a hit), make what is sealed depend on a version of
// the algorithm, and let the same hits count otherwise before and after they are sealed if that changes. It would be of use
// where the first copy of a batch was pruned; but the days of those hits are carried over, not counted anew.
//
// # Carried over
//
// A generation may have a part of its hits from the one before, its base: what it was not asked to count anew, and what cannot be
// read any more. Then each hit that the base has counted is in exactly one of both: it is carried, or it is counted by the new
// rules. A hit of a source is carried if its position is below a position P of the source, and the base has it on a
// day before a day D, or at a site that is not counted anew. All others are counted, whatever their day, late ones too. The day is that
// of the base, by its rules and zones, or by those of the base's own base for what that had carried. It is asked of the hit before the
// new rules see it.
//
// Documents that are carried are copied under a source of their own, carried.BASE. Those of one key are added up over the
// sources, of which only one, S, goes on being counted. So the copy's watermark is that of the document of S, or where there is none
// the checkpoint C of S, read before: no hit of the key lies between (if C is 0, nothing of S is carried). The copies need not be of one moment, for each says
// which hits of S it has. When all is copied, P is a position of S that is not below any watermark, and what lies from C to P
// is read, by the rules of the base, just as after a start: what a copy has is skipped. Then all copies have exactly what
// is carried below P. For any other source, P is its end. A month of which D cuts off a part is then
// added up from its days: a month is the sum of its days, byte for byte.
//
// Each of these steps can be taken again: what was copied stays, whoever writes late has the same to say, and the record high of
// the carried source is raised before P is recorded. Watermarks and checkpoints of the sources that are read are not
// touched, so all that was said about them holds. Answers name no position for what is carried: below P every hit is in the
// answer, carried or counted.
//
// Nothing that was pruned may have a day from D on. A hit's time is at most a day ahead of when it was appended; so D
// is not before the day, in the easternmost zone, after the first two buckets of append time that are kept and a day. Two,
// because what is told of a hit by those before it, a repeat or a burst, needs the bucket before its own in full.
//
// Of a source of which nothing can be read, or which is an older copy that lost its end, everything is carried: its documents,
// checkpoint and high are copied as they are. Once its hits are added up with others, they cannot be told apart: then what
// a base carried is carried on by whoever builds on it, as far as that day and those sites.
//
// Scans read the journal by the rules of their own generation, days that are carried too. Where the base counts on larger cells,
// maps of its days are answered on those, and say so.
//
// # Records
//
//	generation/GENERATION           what the generation's rules and algorithms are
//	checkpoint/GENERATION/SOURCE    position and append time, decimal, and the totals below it, JSON, a space between
//	high/GENERATION/SOURCE          position, decimal
//	sources/GENERATION              ids of the sources that were ever applied, one a line, written before anything is stored
//	lease/SOURCE                    who counts the hits of a source, JSON, where several processes reach the store; see Lease
//
// While there were no other generations than g1, its high was called high/SOURCE and its checkpoint had no totals. Such records
// are read as what they mean; totals then begin at the checkpoint, which they say.
//
// # Totals
//
// What became of every hit of a source is counted beside: read, repeated, excluded and so on. These [Totals] are stored in the
// same value as the checkpoint and are of exactly the hits below it. So a start goes on with them, and what is read again is
// not counted again. For that the intake remembers the totals at the ends of some chunks since the checkpoint, and a
// checkpoint goes to the last of these that is not behind what has to be stored yet.
//
// # Bulk
//
// A generation that is built from a long journal reads what is there in bulk: by the same pipeline, on threads of the lowest
// priority, with a cache of its own, and several small chunks at a time. Pages are spread over four shards a core, of which as many
// count, give up entries or merge at a time as there are cores: the busiest page and a large flush then hold up no other shard.
// Shards share the cache. When it is full, each gives up its part: days that nothing is added to any more, and months only
// when they have waited eight times as long, the largest first, as a month that was stored is read and written once more. What has
// waited for a minute is stored too, so that a crash costs no more than that. At the end it stores all, and the next
// pipeline begins at that checkpoint, at the ordinary priority. Nothing in the counts depends on it.
//
// # Comparison
//
// Compare checks what an index has stored against the journal, before anybody relies on it: see package replay for what is
// compared and why. The index stands still meanwhile: whoever would hand the next chunk to the workers finds, when it has
// the turn, that nothing is to be handed on, and gives the turn back. So marks, flushes and checkpoints go on as ever, at a
// position that does not move, and no document is overtaken while it is read. A pipeline that has to start over meanwhile is
// noticed at the end, and the comparison is void.
//
// # Scans
//
// What blobs cannot answer, such as an expression over hits, hours, or widths that are not whole bands, is answered by
// reading each source from its start, the frozen ones first, in their order. What is counted is what a Stream of the rules gives, hit by
// hit. But a Stream is three things, and only one of them must see the log in order:
//
//   - A worker takes the next stretch of the log, a block of a sealed segment or several small pieces. It decodes the fields that the
//     question, its expression and the rules look at, and hashes the names of batches and hits.
//   - In the order of the log, one at a time, workers ask which names came before, and what clicks complete. These are look-ups in
//     what is known of the hits before, and nothing else.
//   - Then each names page, day, device and so on of the hits that are no repeats, and counts those that are asked for into an
//     aggregate of its own. It is merged into the answer in the order of the log.
//
// So what is merged is the answer to a prefix of the log, at any time. Bursts and dead clicks by the log are looked for only if they are
// asked for, in maps of these, elements, lists and trends, or if repeat_clicks makes all depend on the clicks before.
//
// The footers of sealed segments tell sites and times of each block. A block that has no hit of the site and the range of time is not
// read, unless it decides which hits of a later one are repeats: verdicts depend on the last bucket of append time before their own that
// holds a hit, so from there on blocks are read, for names alone if nothing is derived. A hit's time may be days before that of its
// append, which changes nothing here: what is known of a block are its hits' times themselves.
//
// MaxScans run at a time and MaxScansWaiting wait, beside those of kept answers, of which there are MaxKept. A scan holds one stretch
// a worker, some 7 MB, what tells repeats, and the answer: maps bound their cells themselves, MaxScanRows bounds the others. It ends
// when its context does, in the middle of a stretch.
//
// A map by where=vw < 800 && y > 1000 over sealed segments takes 190 to 210 ns of a core for a hit, so two cores that do nothing else
// scan some 10 million hits/s; decoding the same columns alone, chunk by chunk, takes 40 (-bench ScanWhere). Of the hundred: decoding
// 37, of which half is that a whole stretch of hits is written to memory before it is judged; pages, days, devices and visitors 20; the
// collector of garbage, which looks at these hits' strings, 12; counting 9; the expression 5; names 4; telling repeats 1.
//
// # Answers that stay alive
//
// [Index.Keep] gives an answer that follows the log. It is the same state that an answer which is given once is made of, kept: a
// snapshot of blobs and live deltas or the parts of a scan go into it first, and then event by event what the router passes to
// the workers. Each feed has a tap, at which the router shows every event once, in the order of the log, to the questions that
// listen; what pages they ask for is looked up when the page changes. Events are copied, once for all who keep them, and handed over
// at the end of their chunk; expressions are run by the question's own goroutine. The position below which all was shown is raised
// behind that.
//
// Of each feed a kept answer has a position: what it asks for below is in it, and nothing else. There is no gap and no double:
//
//   - A question begins to listen between two chunks, as the tap is held while one is shown. Let S be the end of what was shown
//     before, so that it is shown all from S on. What was shown is not applied yet, so it waits until the index has applied S, and takes the
//     snapshot, or reads the journal up to what is applied, only then. That is of a position P of at least S. Of what it is shown
//     it drops what is below P, and P is where the rest goes on.
//   - A pipeline that starts over comes by events again that were shown: the tap, which outlives it, lets through what is above its
//     position alone. A checkpoint is never above that, so nothing is left out.
//   - To say that nothing came up to a position, a question looks at that of the tap first and takes what it was shown then: all
//     below the position is in that, or was before.
//   - A question that does not keep up, or for which history is long, holds nothing meanwhile: what it is shown is bounded, and
//     beyond that it stops listening, reads the journal from its position on, again and again until little is left, and
//     listens anew as above. Its position tells which hits of a scan it has, so nothing is counted twice.
//
// So at any time, also while history is read, the positions that an answer names are those of a recount that gives the same.
// A pipeline that was stopped by damage is as with any answer: see above.
//
// An answer costs a hit of the index nothing while nobody listens, some 0.3 us where one question keeps it, and 0.1 us for each
// further one (-bench Show). A map notes which cells change, so an update costs as much as has changed; other answers are put together whole.
// Nothing is kept of what was told: whoever wants to know what changed since when keeps versions.
//
// # Windows
//
// A trend or a list of pages over a window that slides is counted in panes, by the hits' own times: a window is as many panes as
// it has steps. A pane has counts by kind and a sketch of visitors, which is merged over panes and counts nobody twice. Neighbouring
// windows have most panes in common: sums of panes up to the multiples of a window's width, from both sides, give each window
// by three merges. A window that was put together is kept until one of its panes changes, as a rule the last one alone. Of
// pages, sums of hits go on from pane to pane, and visitors are merged anew where a pane has come or gone. Panes that no window has any more
// are dropped, hits from before them are not counted, and those ahead of time wait in theirs.
// A day's 720 windows take some 50 ms of a busy core, and half a millisecond after one hit more (-bench Windows).
//
// # What counting costs
//
// The limit is reading the journal: 80 ns of one core for a hit of a sealed segment, 130 of an active one. All of it, to counts
// in memory, takes 430 to 520 ns, 1.9 to 2.3 million hits a core-second, 0.17 of reading alone: of a million hits on 2,000 pages
// in 120 days, where a day of a page has 19 hits in the mean. On one core:
//
//	HEATLOG_BENCH_HITS=1000000 go test -run - -bench 'Decode|Apply' -benchtime 5x -cpu 1 ./cmd/heatlog
//
// In hundredths: reading 20; page, user agent, day and element of a hit 10; bursts 5 to 10, as two logs are followed;
// repeats and visitors 5; what is passed to the workers 5; finding page, day and month and noting the hits 24; names of elements 8; the
// collector of garbage, and telling it what is written, 10 to 15. Ops and notes hold no pointer, and all notes of a shard's entries
// are blocks of one memory, heatmap.Notes, so the collector has entries, elements and the chunks' texts to look at. What a run
// costs, a batch as a rule, is mostly memory that is not in the processor's cache: page, day, month, the neighbours of both in
// the order of use, and the last block of what is noted. Longer batches and busier pages cost less.
//
// A generation that is built (-bench Build) counts what is noted besides: of 10
// million hits days take 12 of its 100, months 14. A month is given what its days
// have noted as it is, and counts a thousand hits of several days at a time:
// counting each day and adding up the layers took twice that. It encodes (9) and
// stores (8). In all it takes 1.25 us of a core for a hit.
//
// In a build alone hardly a core waits: what the runtime has to run was none for 3
// of 100 of the time of two cores over 51.3 million hits with one shard a core, and
// for less than 1 with four. A replay beside the active generation takes 40 s for
// them, comparison aside, in which the cores are busy to some 70 of 100: what it
// waits for is not known. What is counted twice is little: 4 of 100 documents are
// written a second time, those of months that do not fit into BulkBytes with all
// cells that they have by their end.
//
// # What answers cost
//
// The limit is decoding the cells that are asked for and adding them up. Of 10 million hits, 90 days of the hottest page take
// 1.6 ms of a core with one width band and 9.4 with all (-bench Query; of the latter's 100, with 94,000 cells: decoding 25, adding
// 28, directories and checks 12, making and sorting points 30). A pattern over 1,111 pages takes 70 ms, as long as what is read
// of the store fits its cache: half of that is the way through the store, a tenth directories. The list of all pages, for
// which directories alone are read, takes 30 to 50 ms.
//
// All this is for what was not asked for since it changed. What the store has of a map, a scroll curve or a list is kept, see
// keptCache, 8 bytes a cell, until what is stored of the page changes, for a pattern or a list of any page; then only what is live is
// added, and of a map there is left to make points of the cells. What several ask at a time is computed once, see shared: a burst
// of questions waits for its turns, and whoever asks the same meanwhile gets the same answer. MaxAnswers are computed at a time, and
// let others go first every millisecond, so that those who bring hits do not wait behind all who ask.
//
// 200 questions at once about 10 million hits, drawn as visitors visit pages, take 150 ms of a core: a
// third is thinning of maps that have changed or were not asked for, a seventh points, a sixth what was not read before, a tenth
// sending.
package index
