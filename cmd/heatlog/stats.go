package main

import (
	"time"

	"heatlog/collector"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/web"
)

// emitter passes on the numbers of one package.
type emitter func(reading)

func (e emitter) counter(name, help string, value uint64, labels ...string) {
	e(reading{name: "heatlog_" + name, help: help, labels: labels, counter: true, value: float64(value)})
}

func (e emitter) gauge(name, help string, value float64, labels ...string) {
	e(reading{name: "heatlog_" + name, help: help, labels: labels, value: value})
}

// oneIf is 1 for true.
func oneIf(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// readStats reads the numbers of every package.
func (s *server) readStats(emit func(reading)) {
	e := emitter(emit)
	e.collector(s.taker.Stats())
	e.journal(s.journal.Stats())
	e.gauge("journal_pruning_failed", "1 if what --retention does not keep could not be deleted the last time.", oneIf(s.pruner != nil && s.pruner.failed.Load()))
	e.index(s.counts.Stats(), s.counts.Lag())
	e.live(s.web.LiveStats())
	if s.database != nil {
		e.database(s.database)
		return
	}
	e.gauge("store_up", storeUpHelp, 1, "store", pebbleStore)
	e.store(s.pebble.Stats())
}

func (e emitter) collector(c collector.Stats) {
	e.counter("hits_accepted_total", "Hits that the journal has taken.", c.InAccepted+c.ImportAccepted)
	e.counter("in_hits_accepted_total", "Those that came from trackers.", c.InAccepted)
	e.counter("import_hits_accepted_total", "Those that were imported.", c.ImportAccepted)
	e.counter("in_requests_total", "Requests of trackers.", c.InRequests)
	e.counter("import_requests_total", "Imports.", c.ImportRequests)
	for reason, n := range c.Rejected {
		e.counter("hits_rejected_total", "Lines and trackers' batches that were refused, by reason.", n, "reason", reason)
	}
	e.counter("in_rate_limited_total", "Requests of trackers whose address had sent too many.", c.Limited)
	e.counter("in_unauthorized_total", "Trackers' batches of an unknown site or origin.", c.Unauthorized)
	e.counter("bodies_broken_total", "Bodies that broke off, were damaged, too large or packed in an unknown way.", c.Broken)
	e.counter("hits_unavailable_total", "Requests with hits that could not be stored.", c.StoreErrors)
	e.counter("received_bytes_total", "Bytes of bodies with hits, as they were sent.", c.Bytes)
	e.counter("unpacked_bytes_total", "Bytes of the same bodies after unpacking.", c.UnpackedBytes)
}

func (e emitter) index(x index.Stats, lag uint64) {
	e.gauge("index_lag_hits", "Durable hits that answers do not count yet.", float64(lag))
	e.gauge("index_live_bytes", "Memory of counts that are not stored yet.", float64(x.LiveBytes))
	e.gauge("index_held_bytes", "The same with counts on their way to the store.", float64(x.HeldBytes))
	e.gauge("index_live_entries", "Pages and periods that have counts which are not stored yet.", float64(x.LiveEntries))
	e.gauge("index_checkpoint_position", "Position that the journal is read from after a crash.", float64(x.Checkpoint))
	e.counter("index_applied_hits_total", "Hits that were counted, repeats among them.", x.AppliedHits)
	e.counter("index_chunks_total", "Chunks that were read from the journal.", x.Chunks)
	e.counter("index_flushed_documents_total", "Documents that were stored.", x.FlushedDocs)
	e.counter("index_flushed_bytes_total", "Bytes of the same documents.", x.FlushedBytes)
	e.counter("index_conflicts_total", "Documents that another index had stored first.", x.Conflicts)
	e.counter("index_store_errors_total", "Calls of the store that failed.", x.StoreErrors)
	e.counter("index_waits_total", "Times that reading the journal waited for the store.", x.Waits)
	e.counter("index_queries_total", "Queries that were answered.", x.Queries)
	e.counter("index_query_retries_total", "Copies for a query that were taken again because a flush had overtaken them.", x.Retries)
	e.counter("index_scans_total", "Queries that read the journal.", x.Scans)
	e.counter("index_scanned_hits_total", "Hits that such queries read.", x.ScannedHits)
	e.counter("index_where_errors_total", "Hits on which the expression of such a query failed.", x.WhereErrors)
	e.stream(x.Stream)
}

func (e emitter) stream(s index.StreamStats) {
	e.counter("index_repeated_hits_total", "Hits that were dropped because the same had come before.", s.RepeatedHits)
	e.counter("index_repeated_batches_total", "Batches that were dropped because the same had come before.", s.RepeatedBatches)
	e.counter("index_excluded_hits_total", "Hits that the rules left out.", s.Excluded)
	e.counter("index_repeated_clicks_total", "Clicks that did not count because of repeat_clicks in the rules.", s.RepeatedClicks)
	e.counter("index_unsettled_hits_total", "Hits of URLs that rewrites or groups would have turned into what counts as another, and left as they are.", s.Unsettled)
	e.counter("index_bot_hits_total", "Hits of bots.", s.Bots)
	e.counter("index_rage_bursts_total", "Bursts of clicks that were found.", s.Bursts)
	e.counter("index_expression_errors_total", "Runs of an expression of the rules that failed.", s.ExprErrors)
	e.gauge("index_repeats_bytes", "Memory for telling repeats.", float64(s.RepeatBytes))
}

func (e emitter) live(s web.LiveStats) {
	e.gauge("live_queries", "Questions whose answers are kept up to date.", float64(s.Nodes))
	e.gauge("live_streams", "Streams of those who listen to them.", float64(s.Streams))
	e.counter("live_evaluations_total", "Times that such a question was asked what changed.", s.Evaluations)
	e.counter("live_encodings_total", "Messages that were encoded.", s.Encodings)
	e.counter("live_messages_total", "Messages that were sent; one that was encoded once may go to many.", s.Messages)
	e.counter("live_sent_bytes_total", "Length of these.", s.SentBytes)
	e.counter("live_resets_total", "Times that a question had to be asked anew, by a switch of generations, a new day or a new start of the counts.", s.Resets)
	e.counter("live_refused_total", "Questions and streams that would have been more than the limits.", s.Refused)
	e.counter("live_cut_off_total", "Streams whose client did not take a message in time.", s.CutOff)
}

const storeUpHelp = "1 while the store answers, by the sort of store."

func (e emitter) database(d *database) {
	outage, seconds := d.down(), 0.0
	if outage != nil {
		seconds = time.Since(outage.since).Seconds()
	}
	e.gauge("store_up", storeUpHelp, oneIf(outage == nil), "store", "mongodb")
	e.gauge("store_outage_seconds", "How long the store has been out of reach, 0 while it answers.", seconds)
	e.counter("store_failures_total", "Operations of the store that failed.", d.failures.Load())
	s := d.stats()
	e.counter("store_read_documents_total", "Documents that were read.", s.Read)
	e.counter("store_read_bytes_total", "Bytes of their blobs.", s.ReadBytes)
	e.counter("store_written_documents_total", "Documents that were written.", s.Written)
	e.counter("store_written_bytes_total", "Bytes of their blobs.", s.WrittenBytes)
	e.counter("store_conflicts_total", "Documents that were not written because another writer was first.", s.Conflicts)
	e.counter("store_commands_total", "Commands that were sent.", s.Trips)
	e.counter("store_command_errors_total", "Commands that gave an error.", s.Errors)
}

func (e emitter) store(s pebblestore.Stats) {
	e.gauge("store_disk_bytes", "Size of the store's files.", float64(s.DiskBytes))
	e.gauge("store_compaction_debt_bytes", "Bytes that wait for compaction.", float64(s.Debt))
	e.gauge("store_cache_bytes", "Memory of the store's cache.", float64(s.CacheBytes))
	e.gauge("store_read_amplification", "Tables that a read may have to look into.", float64(s.ReadAmp))
	e.counter("store_reopened_total", "Times that a broken database was opened anew.", s.Reopened)
}

func (e emitter) journal(j journal.Stats) {
	e.counter("journal_appends_total", "Appends that were acknowledged.", j.Appends)
	e.counter("journal_hits_total", "Hits that were acknowledged.", j.Hits)
	e.counter("journal_chunks_total", "Chunks that were written.", j.Chunks)
	e.counter("journal_raw_bytes_total", "Bytes of chunks before compression.", j.RawBytes)
	e.counter("journal_stored_bytes_total", "Bytes that were written for chunks.", j.StoredBytes)
	e.counter("journal_syncs_total", "Calls of fsync.", j.Syncs)
	e(reading{name: "heatlog_journal_sync_seconds_total", help: "Time spent in fsync.", counter: true, value: j.SyncTime.Seconds()})
	e.counter("journal_failures_total", "Segments that were given up, and attempts to begin one that failed.", j.Failures)
	e.gauge("journal_first_position", "Position of the first hit that is kept.", float64(j.First))
	e.gauge("journal_durable_position", "Position below which every hit is synced.", float64(j.Durable))
	e.gauge("journal_end_position", "Position after the last hit that was acknowledged.", float64(j.End))
	e.gauge("journal_segments", "Files of the journal.", float64(j.Segments))
	e.gauge("journal_bytes", "Length of the journal's files.", float64(j.Bytes))
	e.gauge("journal_unsealed_segments", "Full segments that wait to be sealed, or cannot be.", float64(j.UnsealedSegments))
	e.gauge("journal_unsealed_bytes", "Length of those.", float64(j.UnsealedBytes))
	e.gauge("journal_sealing", "1 while a segment is being sealed.", oneIf(j.Sealed.Running))
	e.gauge("journal_sealing_failed", "1 if the last attempt to seal failed.", oneIf(j.Sealed.Error != ""))
	e.counter("journal_sealed_segments_total", "Segments that were sealed.", j.Sealed.Segments)
	e.counter("journal_sealed_hits_total", "Hits in them.", j.Sealed.Hits)
	e.counter("journal_sealed_from_bytes_total", "Their length before.", j.Sealed.Before)
	e.counter("journal_sealed_bytes_total", "Their length after.", j.Sealed.After)
	e.counter("journal_pruned_segments_total", "Segments that were deleted.", j.Pruned.Segments)
	e.counter("journal_pruned_hits_total", "Hits in them.", j.Pruned.Hits)
	e.counter("journal_pruned_bytes_total", "Their length.", j.Pruned.Bytes)
}
