// Package replay keeps the generations of a data folder: it builds a new one from the journal while the old one serves,
// switches to it, goes back, and drops what is no longer wanted.
//
// # Idea
//
// A generation is an [index.Index] of its own, by its own rules, over the same store, journal and frozen sources. It is
// built by the ordinary pipeline, read from the start of the journal with more memory and at a low priority. So there is
// nothing that a replay counts otherwise than live traffic or a recovery: a resumed replay is a start at the checkpoint,
// and catching up is following the tail.
//
// # States
//
//	building ─▶ catching-up ─▶ verifying ─▶ ready ─▶ active ◀─▶ retired
//	    └────────────┴─────────────┴──▶ failed
//
//	building      reads what the journal held when it was started, at a low priority; can be paused
//	catching-up   reads what came since, until it is about as far as the active one; can be paused
//	verifying     is compared with the active one and the journal, see below
//	ready         follows the journal
//	active        answers whoever names no generation
//	retired       was active; follows the journal for Options.KeepRetired, so that going back loses nothing, and is dropped then
//	failed        cannot be finished, for the reason that it names
//
// All that can be dropped but the active one. Dropping takes a generation off the list first and then deletes what is
// stored of it.
//
// All states are in one record, generations, and every move is one compare-and-swap of it from a record in which the move
// was legal. So of two moves that race, whoever makes them, one wins and the other is judged anew. A process that dies
// leaves the record as it is before a move or after it; the next start goes on from there: what was building is built
// from its checkpoint, what was dropped is dropped to the end, what was paused stays paused.
//
// # Switch
//
// The switch is such a swap: it sets the active generation and both states at once. A question takes its generation when it
// begins, and goes to that one's index whatever is switched meanwhile; a generation that is dropped waits for those who
// still ask it. So no question fails, and no answer has parts of two: each is of one index and names it.
//
// # Verification
//
// A generation becomes ready only when what must hold of it was found to hold, by [index.Index.Compare]. It stands still at one
// position of each source for as long as that takes, while the active one and the journal go on, and catches up again after
// it. All that it has counted is stored first, so what is looked at is what stays, and is one exact prefix of the log. Then:
//
//	documents  the cells of each layer add up to its hits, and no document holds hits above the position
//	months     the days of each month of each page, merged, are the month's document byte for byte: the two are stored apart
//	sums       views, clicks, scrolls, moves, dead clicks, bursts and hits of bots, over all days and over all months, are
//	           what the counters say that are stored with the checkpoint
//	counters   all counters are what the journal says, read once more from its first hit to that position, and account
//	           for each hit once
//	active     the counters that no rules can change are what the journal says in the active generation too, at the same
//	           position: hits read, batches, repeats, hits lost
//	keys       1,000 documents, chosen by the hash of their name and the generation's, are recounted from the journal and equal
//	           byte for byte; less if they are large
//
// Why this is enough to switch: whatever is lost or counted twice shows in sums, wherever it is, unless a day and its month and
// the counters are wrong by as much; counters are compared with the journal, so they are not. What is in the wrong place
// of the right layer shows in months, unless day and month are wrong alike, as by an error of the index; that shows in
// keys, where nothing of the index is used but its stream: [heatmap.Recount] counts in maps and loops and writes blobs by
// an encoder of its own. The stream itself, which names pages, tells repeats and leaves hits out, is checked by the golden
// corpus of each algorithm.
//
// A generation that has a problem fails, and says which. What is wrong with the active one is a note: a replay is how that
// is put right. Where the journal no longer has the first hits that a generation has counted, what needs them is left out, with a
// note; so retention deletes nothing while a generation is on its way to be compared.
//
// The same reading of the journal passes each hit by the rules of both, which gives the report: what each rule leaves out,
// which pages change, appear, go, or take hits of others. Lists and sentences are bounded, and say how many more there are.
// It is kept with the generation.
//
// # A part of it
//
// A generation that counts only some sites anew, or only days from one on, carries the rest over from the generation that is
// active when it begins; so does one of a journal whose first hits were pruned, or that is not there any more, for all days
// that may have lost hits. So it has all hits, can be switched to like any other, and says what it has from where. How this
// is exact is told in package index. Here it is four steps, each recorded in the entry of the generation before the next
// begins: what is carried is planned once, the documents are copied, what came meanwhile is counted, and the month that is cut is added
// up. A process that dies goes on with the step that it was at. Until all four are done nothing is read, nothing may be
// pruned, and the generation that is carried over cannot be dropped.
//
// # Exactly once, several times
//
// What package index says of one generation holds for each, because nothing that it rests on is shared: documents,
// checkpoints, the record of how far flushes may have gone, the sources that were ever applied, and the memory that
// tells repeats are each generation's own. What is shared is read only, the journal, or keeps each document for itself,
// the store. It remains to be shown for what concerns all of them:
//
//   - A journal may be written on only if it does not end below what any generation has stored of it: a generation that
//     is ahead would take new hits for stored ones. So Open compares with the highest of all, failed and dropped ones
//     apart, which never go on; and a journal that is frozen is so for all.
//   - Retention may delete only what no generation needs: the least of all, 0 for one that has just begun. What it may
//     delete is asked before each segment, so that one that begins meanwhile counts.
//   - The id of a generation is never given again, so a write that lands after its documents were deleted is never read.
//   - Counters are a function of the hits below a position, and are stored with the checkpoint in one value. So they are
//     the same whatever was killed when; only a generation that was begun by a version without them does not know all.
//   - An older copy of the store has older states, checkpoints and documents, all of one moment: each generation that it
//     knows goes on from there; one that it does not know was never begun.
//
// # External effects
//
// Whatever the server does to the outside because of hits (webhooks, alerts, mails, when they come) belongs to the active
// generation only: it is done when the active generation applies a hit as live traffic, and never while a generation is
// built, catches up, is compared or retired, nor for hits that are read again after a start. What was done is
// remembered by source and position, not by generation, so that a switch does nothing twice; a switch back neither
// takes back nor repeats anything.
//
// # Records
//
//	generations      JSON: the active generation, the one before, the number of the next, and every one with its state
//	rules/ID         the rules of a generation as they were given, YAML
//	report/ID        JSON, a heatmap.Report: what its comparison has found
//
// Those of each index are told in package index.
package replay
