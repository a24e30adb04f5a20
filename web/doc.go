// Package web serves heatlog over HTTP: what analysts read, what operators look at, and, with handlers that it is given,
// the way in for hits.
//
// # Routes
//
//	GET  /v1/heatmap   where people clicked, moved, raged: cells as JSON, or a picture
//	GET  /v1/scroll    how far they scrolled and how long they looked
//	GET  /v1/pages     the pages of a site, those with most hits first
//	GET  /v1/export    hits from the journal, one JSON object a line
//	GET  /v1/sites     the registered sites; POST registers one
//	GET  /v1/bots      the user agents that count as bots
//	POST /v1/import    the collector's handler
//	POST /v1/in        the collector's handler, open to every visitor's browser
//	GET  /metrics      the caller's handler
//	GET  /healthz      200 while the process serves
//	GET  /readyz       200 while answers are up to date, else 503 with a reason
//	GET  /             a page that says what this is
//
// HEAD works where GET does. A route whose part of [Options] is nil does not exist. All but /v1/in, /healthz, /readyz and
// the page at / want "Authorization: Bearer TOKEN".
//
// # Parameters
//
// A query string is read strictly: an unknown, repeated, empty (but for q) or over-long parameter, a broken escape,
// invalid UTF-8 and control characters are refused with status 400, and so is a value outside its range; nothing is
// clamped or ignored. site is needed everywhere, url for a heatmap and for scroll.
//
//	parameter            routes                   value
//	site                 all                      site key: 1 to 32 of a-z, 0-9, '-'
//	url                  heatmap, scroll, pages   URL or pattern (* within a path segment, ** anything), at most 8 KiB
//	from, to             all                      YYYY-MM-DD, both inclusive, in the site's zone; or RFC 3339 instants, from <= t < to
//	vw                   heatmap, scroll, pages   MIN-MAX, viewport widths in px, both inclusive, 0 to 65535 (0 = unknown)
//	device               heatmap, scroll, pages   desktop, tablet or mobile
//	where                heatmap, scroll, pages   expression over a hit's fields, at most 4 KiB
//	generation           heatmap, scroll, pages   default the active one
//	bots                 heatmap, scroll, pages   1 or true counts bots too; 0 or false (default) does not
//	kind                 heatmap                  click (default), move, rage or dead
//	cell                 heatmap                  px, a multiple of 8, 8 (default) to 4096
//	limit                heatmap                  cells at most, 0 to 100,000; 0 (default) = all
//	format               heatmap                  json (default) or png
//	width, height        heatmap with format=png  px of the page that is drawn
//	radius               heatmap with format=png  px of the page that a hit's heat reaches
//	q                    pages                    text that the page's URL contains
//	offset, limit        pages                    pages to skip; pages at most, 1 to 10,000 (default 100)
//	positions            export                   SOURCE:N[,SOURCE:N]: of each source the hits below N
//
// Days lie between 2000-01-01 and 2149-06-06, the last that a [heatmap.Period] can name.
//
// # Answers
//
// Answers are JSON but for pictures (image/png) and the export (application/x-ndjson), never cached, and compressed with
// gzip for a client that takes it. An answer about hits ends with the prefix of the log that it holds: "generation",
// "positions" ({"SOURCE":N}: every hit below N), "lag_hits" (durable hits that are not in it yet) and "took_ms". "from"
// and "to" are null where a bound is open and there is no hit. An empty answer has status 200 and says why:
//
//	"why":{"reason":"no_hits_for_url","message":"…","nearest":["https://shop.example/p/1"]}
//
// Beside reason and message stands what the reason has: "nearest" (known URLs), "from" and "to" (days that have hits),
// "widths" ([[MIN,MAX],…]), "kinds" or "devices". The reasons are the constants heatmap.WhyUnknownSite and so on.
//
// Cells are never dropped or merged silently: "thinned" is false, "points" has all "cells" of them, and a limit below
// their number is refused.
//
// An export that breaks off ends its chunked body without the last chunk, so that a client sees an error and not an end.
//
// # Errors
//
//	{"error":{"code":"bad_param","message":"cell is \"7\", want a multiple of 8, from 8 to 4096","field":"cell"}}
//
// "field" is there where one parameter or member is to blame. Codes: bad_param, bad_request (400), unauthorized (401),
// not_found (404), method_not_allowed (405), timeout (408), conflict (409), too_large (413), headers_too_large (431),
// internal (500; the cause is in the log), unavailable (503, with Retry-After), and those that [Sites] gives (400).
package web
