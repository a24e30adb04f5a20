// Package collector takes hits over HTTP: it parses them, checks them, scrubs their URLs, and answers when the journal
// has them. [Collector.Import] takes newline-delimited JSON of any length, [Collector.In] the tracker's batches, [Sites]
// is the register of the sites that may send. [AppendLine] writes a hit as the line that Import reads.
//
// # A line
//
// A hit is one JSON object (RFC 8259) of at most [MaxLine] bytes, in strict UTF-8. A name that stands twice counts as it
// stands last, though each value is checked. Names that are not in the table are ignored with whatever value they
// have, nested at most 64 deep. null is not a value of any name in the table: it is what JavaScript makes of NaN. A lone
// surrogate (\ud800 without its other half) is an error wherever it stands. Numbers may have a fraction or an exponent;
// "px" and "ms" are rounded down, so that 65535.9 is 65535, and -0.5 is outside. What is outside its range is refused,
// never clamped.
//
//	name      type     range                       meaning
//	t         ms       2000-01-01 to now + 24 h    when, Unix time; needed
//	site      string   a registered key            needed
//	url       string   absolute http or https,     the page, scrubbed by Scrub before it is stored; needed
//	                   at most 8192 bytes,
//	                   no control characters
//	kind      string   view click scroll move      needed
//	x, y      px       0 to 65535                  place on the page; needed for click and move; for a scroll y is the
//	                                               top of what is visible after it
//	vw, vh    px       0 to 65535                  size of the viewport, 0 = unknown
//	dw, dh    px       0 to 65535                  size of the document, 0 = unknown
//	sel       string   at most 1024 bytes          selector of the element that was clicked
//	ax, ay    number   0 to 1                      place inside the element's box, kept in 65536ths
//	bw, bh    px       0 to 65535                  size of the element's box, 0 = unknown
//	check     whole    0 to 65535                  hash of the element's own text
//	fixed     bool                                 the element does not move with the page
//	in        string   at most 1024 bytes          selector of the scroll container that holds the element
//	ix, iy    px       0 to 65535                  scroll offset of that container
//	layout    whole    0 to 4294967295             hash of the page's layout, 0 = unknown
//	pointer   string   mouse touch pen, or empty   what clicked or moved
//	trusted   bool     default true                made by a person, not by a script
//	rage      bool                                 the tracker saw a burst of clicks
//	dead      bool                                 the click changed nothing
//	depth     px       0 to 65535, at least from   scroll: lowest px seen so far; needed for scroll
//	from      px       0 to 65535                  scroll: the depth before this hit
//	dwell     ms       0 to 600000                 scroll: how long the part stayed visible
//	view      string   at most 128 bytes           id of the page view
//	visitor   string   at most 128 bytes           id of the visitor
//	ua        string   cut to 256 bytes            user agent
//	tags      strings  at most 16 of 64 bytes      A/B variants, segments
//	                                               sampled:0.25: only that share of page loads is recorded
//	id        string   at most 128 bytes           of this hit, for dropping repeats
//
// # A tracker's batch
//
// A batch is one object with site, url, view, tags (as above, for all of its hits), b (the batch's id, 1 to 64
// characters) and hits, 1 to 500 objects with the names of the table. A hit may have a url, a view or tags of its own; it
// has age (ms before sending, clamped to 0 to 86400000) instead of t. t, site, visitor, ua and id of a hit are ignored:
// the first comes from the server's clock, visitor and ua from the request, and a public id could make other hits look
// like repeats.
//
// # Memory
//
// A parser keeps for each string the token of the line before with its Go string: consecutive lines share site, url,
// view, visitor and user agent, and comparing a token is cheaper than scanning it. Other strings are copied into blocks
// that are never written again, so a parsed hit does not depend on the request's memory.
//
// # What a batch costs
//
// The limit is HTTP itself: fasthttp with a handler that reads the body and answers 204, on one core of a machine whose other
// core sends over 1,000 connections. Of the server's CPU time such a request takes 15.4 µs, in which the system sends (7.7) and
// receives (4.6) for most of it, so no handler gets below that. One that also has the bodies on the disk before it answers,
// synced in groups, takes 22 to 24. Here, with the index counting on the same core:
//
//	µs of CPU a batch                            20 hits   1 hit
//	HTTP: receive, headers, send, wake-up           20       18
//	parse                                            5.6      1.1
//	visitor, routing, CORS, metrics, rest            2.9      1.7
//	encode, queue, wait for the disk                 2.4      0.8
//	compress, write, sync                            1.9      1.4
//	index: read, decode, stream                      5.5      1.8
//	index: count                                     2.8      0.4
//	all                                             41       26
//	of what a bare handler answers                   0.37     0.6
//
// At half the top rate an answer takes 1.1 ms in the median and 5 to 13 ms at the 99th percentile, and the first question after it
// counts the hit.
//
// A request allocates nothing but, once in a few hundred, a block for strings. What would change it: hits that the index
// counts on another core (8 µs of the 41), and a server that reads many connections in one call of the system. In memory, with no
// connection and an empty journal, a batch of 20 takes 5.7 µs beside fasthttp's own 1.0: the code is half as fast over 1,000
// connections because what the system does for each request takes its place in the caches. What was tried and changed nothing that
// could be measured, or made it slower: groups of 64 appends and of 400, several chunks a sync, parsing in a few goroutines while the
// handlers wait, and one copy less of the body.
//
//	go test ./collector -run ^$ -bench 'In|Parse' -cpu 1
//	heatlog bench run --row in
//	heatlog serve --debug-listen 127.0.0.1:7391 &
//	go tool pprof -top -cum http://127.0.0.1:7391/debug/pprof/profile?seconds=10
package collector
