// Package web serves heatlog over HTTP: what analysts read, the app and the scripts that they read it with, what operators
// look at, and, with handlers that it is given, the way in for hits.
//
// # Routes
//
//	GET  /v1/heatmap       R  where people clicked, moved, raged: points, a picture, or the heat itself
//	GET  /v1/elements      R  the elements that were clicked, and where inside them
//	GET  /v1/scroll        R  how far they scrolled and how long they looked
//	GET  /v1/pages         R  the pages of a site, those with most hits first
//	GET  /v1/trend         R  hits and visitors by day or hour, or of a window of time that slides
//	GET  /v1/timeline      R  when a page was clicked where, in steps
//	GET  /v1/queries       R  the questions whose answers stay alive; POST {"kind","params","start"} asks one
//	GET  /v1/queries/ID         R  one of them; DELETE ends it
//	GET  /v1/queries/ID/stream  R  what becomes of its answer: a WebSocket, or server-sent events; no HEAD
//	GET  /v1/export        A  hits from the journal, one JSON object a line
//	GET  /v1/sites         A  the registered sites; POST registers one
//	GET  /v1/bots          A  the user agents that count as bots
//	GET  /v1/generations   A  all generations; POST {"rules","sites","from","activate","skip_damaged"} starts a replay
//	GET  /v1/generations/ID         A  one with its rules and counts; DELETE drops it
//	GET  /v1/generations/ID/report  A  how it compares with the active one, as JSON or text
//	POST /v1/generations/ID/activate  A  switches to it; pause and resume likewise
//	GET  /v1/rules-schema.json  -  JSON Schema of a rules file
//	POST /v1/overlay-links A  {"site","url","generation","minus_generation"}: a link that opens the overlay on a page of the site
//	POST /v1/demo          A  sends made visitors to the demo pages
//	GET  /v1/session       A  what the app needs to know of the server; DELETE signs out
//	POST /v1/session       -  {"token"}: signs in
//	GET  /signin?t=        -  signs in who comes with a ticket, and leads to the app; no HEAD
//	POST /v1/import        A  the collector's handler
//	POST /v1/in            -  the collector's handler, open to every visitor's browser
//	GET  /v1/openapi.json  -  this for programs: OpenAPI 3.1, tested against the handlers
//	GET  /metrics          A  the caller's handler
//	GET  /healthz          -  200 while the process serves
//	GET  /readyz           -  200 while answers are up to date, else 503 with a reason
//	GET    /                 -  the app, with /app.js and /app.css
//	GET  /hl.js            -  the script that sites load, and /hl-view.js, the overlay that it loads
//	GET  /demo/            -  the demo site: every file of the folder demo, pages without their .html
//
// HEAD works where GET does, but where it says otherwise. A route whose part of [Options] is nil does not exist. R and A want authentication.
//
// # Authentication
//
// The admin token opens all routes, in the header "Authorization: Bearer TOKEN". Where there is such a header it alone
// counts; without one the cookie of a session opens all routes too. An overlay token, in the same header, opens the routes
// marked R, for one site, whose key must be the query's site=.
//
//	secret          made by                     good for              opens
//	admin token     Options.Token               until it is changed   all
//	session         signing in                  7 days without use,   all
//	                                            30 days at most
//	sign-in ticket  [Server.SignInTicket]       24 hours              a session, any number of times
//	overlay token   POST /v1/overlay-links      15 minutes            R, one site
//
// An overlay token's site is that of site=, for what lies below /v1/queries that of the question. A stream ends with the token or
// session that it was opened with.
//
// Tickets and overlay tokens are signed with keys that derive from Options.Key and Options.Token, one for each kind, and
// are stored nowhere: they end with their time, or when either is changed. A session is 256 random bits in a cookie that
// scripts cannot read (hls; __Host-hls where Options.PublicURL is https; SameSite=Lax); the server keeps an HMAC of it
// under the admin token, of 1,000 sessions at most, after which the one that was used least recently ends. Signing in ends
// the session that the browser had.
//
// With a session, a method other than GET and HEAD wants proof that the request comes from heatlog's own pages: the header
// Sec-Fetch-Site says same-origin or none, or where a browser does not send it, Origin is that of Options.PublicURL or of
// the Host header. Signing in wants the same of a browser, so that no page can use up the tries of who looks at it.
//
// A wrong sign-in is answered after a second. An address (of IPv6 a /64) has 10 of them at once and one more every 6 s;
// beyond that it gets 429 with Retry-After, whatever it comes with. At most 64 wait for their answer at a time, one more
// gets 429 at once. Who has the right token waits for nobody. Addresses are kept as keyed hashes in 64 KiB that do not
// grow. Wrong tokens in an Authorization header are not slowed down: an admin token should be long and random.
//
// # Pages of other origins
//
// The routes marked R share their answers with the origins that the site lists (Access-Control-Allow-Origin, no
// credentials), if they come with an overlay token; errors too, so that an overlay can tell that it has expired. A request
// with a token of the site and an Origin that is not listed is refused. OPTIONS answers the preflight of any site's origin.
// /hl.js and /hl-view.js may be loaded from anywhere, all else from heatlog's own origin alone. The app and the demo have a
// Content-Security-Policy that lets them load nothing but heatlog's own files. The app can be framed by nobody and frames
// pages of the registered sites alone, the demo by the app.
//
// Files have a strong ETag for each encoding; a browser asks each time whether it has changed, for /hl.js after 5 minutes.
//
// # Parameters
//
// A query string is read strictly: an unknown, repeated, empty (but for q) or over-long parameter, a broken escape,
// invalid UTF-8 and control characters are refused with status 400, and so is a value outside its range; nothing is
// clamped or ignored. site is needed everywhere, url for a heatmap, elements and scroll. Only files take any query.
//
//	parameter            routes                   value
//	site                 all                      site key: 1 to 32 of a-z, 0-9, '-'
//	url                  all but export           URL or pattern (* within a path segment, ** anything), at most 8 KiB
//	from, to             all                      YYYY-MM-DD, both inclusive, in the site's zone; or RFC 3339 instants, from <= t < to
//	last                 all but export           Nd, 1d to 3660d: so many days up to and with today, in place of from and to
//	vw                   all but export           MIN-MAX, viewport widths in px, both inclusive, 0 to 65535 (0 = unknown)
//	device               all but export           desktop, tablet or mobile
//	where                all but export           expression over a hit's fields, at most 4 KiB
//	generation           all but export           default the active one
//	bots                 all but export           1 or true counts bots too; 0 or false (default) does not
//	kind                 heatmap                  click (default), move, rage or dead
//	cell                 heatmap                  px, a multiple of that of the generation (default, as a rule 8), up to 4096
//	noise                heatmap                  0 (default) to 1: without cells that weigh less than this share of the heaviest
//	                                              and have no neighbour
//	limit                heatmap                  points at most, 0 to 100,000 (default 4,000); 0 = all cells, exact
//	format               heatmap                  json (default), msgpack, csv, png or field
//	width                heatmap as png or field  px of the page that is drawn
//	height               heatmap as png           the same
//	radius               heatmap as png or field  px of the page that a hit's heat reaches
//	step                 heatmap as field         px between samples, 4 (default) or 8
//	y0, y1               heatmap as field         px from the top: samples from y0 on and above y1; left out: all
//	q                    pages                    text that the page's URL contains
//	offset, limit        pages                    pages to skip; pages at most, 1 to 10,000 (default 100)
//	by                   trend                    day (default) or hour; more than 10,000 of them, also between the first hit and the last, are 400
//	window, every        trend, pages             lengths of time (90s, 2m, 24h, 7d), 1s to 90d: a window that slides, in place of by, and for
//	                                              pages of from, to and last. window is a multiple of every, at most 2,000 times as long
//	step                 timeline                 length of time, 1s to 31d; left out: as the range is long
//	after                stream of a question     token of the last message that came
//	format               report of a generation   json or text; left out: as Accept says
//	minus_from, minus_to heatmap                  a difference map, less the same question with these in place of from and to (both)
//	minus_where          heatmap                  the same, in place of where; true leaves nothing out
//	minus_generation     heatmap                  the same, in place of generation
//	positions            export                   SOURCE:N[,SOURCE:N]: of each source the hits below N
//
// Days lie between 2000-01-01 and 2149-06-06, the last that a [heatmap.Period] can name.
//
// # Answers
//
// But for files, answers are JSON, MessagePack, CSV, pictures (image/png) or the export (application/x-ndjson), never cached, and compressed
// with gzip for a client that takes it. An answer about hits ends with the prefix of the log that it holds: "generation",
// "positions" ({"SOURCE":N}: every hit below N), "lag_hits" (durable hits that are not in it yet) and "took_ms". "from"
// and "to" are null where a bound is open and there is no hit. An answer that had to be read from a journal whose oldest hits
// were pruned (a where, an hour, an exact width) has "kept_from" ({"SOURCE":N}): hits below N are not in it. So begins an
// export; one of positions of which nothing is kept is refused with status 410. An empty answer has status 200 and says why:
//
//	"why":{"reason":"no_hits_for_url","message":"…","nearest":["https://shop.example/p/1"]}
//
// Beside reason and message stands what the reason has: "nearest" (known URLs), "from" and "to" (days that have hits),
// "widths" ([[MIN,MAX],…]), "kinds" or "devices". The reasons are the constants heatmap.WhyUnknownSite and so on.
//
// Where hits are from a share of page loads alone, because the site's owner asked for that, the answer says so:
//
//	"sampled":{"share":0.25,"hits":1204}
//
// It is about all hits of the pages and the range, also those that another kind, width or device hides, as "visitors" is; bots'
// count with bots alone. "share" is the least of them, above 0 and below 1. Counts are what was recorded: none is multiplied. A
// picture says it in Heatlog-Sampled-Share and Heatlog-Sampled-Hits, a difference map for each side.
//
// A heatmap of more cells than limit is thinned ([heatmap.Thin]): light cells are merged, "thinned" is true, and "error" says
// how far the drawing of the points is from that of all cells, as a share of its greatest heat ([heatmap.ErrorOf]; 0 where
// nothing is merged). "max" and "cells" are those of the cells whatever limit is, and the weights of points and "noise_hits",
// the hits of cells that noise left out, add up to "hits". With limit=0 points are the cells. What was thinned is kept in
// memory (Options.ThinBytes) by what the cells are, so that the next who asks for the same gets it at once.
//
// The same in other formats: msgpack is the same object in MessagePack (application/vnd.msgpack), csv (text/csv, RFC 4180
// with \n) has a line x,y,weight and one for each point. png is a picture with the colours of the app. field is the heat
// itself ([heatmap.DrawField]) as a grey PNG; Heatlog-Max has the heat that 255 stands for, which is the page's greatest
// also where y0 and y1 leave that out. Pictures are of all cells, whatever limit is. What JSON says beside the points
// stands in headers of csv, png and field: Heatlog-Hits, -Visitors, -Views, -From, -To, -Cell, -Cells, -Noise-Hits,
// -Lag-Hits, -Generation, -Positions, -Kept-From, -Why, -Max, and of csv -Thinned and -Error.
//
// A difference map has "difference":true and points [x,y,difference,hits,minus hits]: the share of "hits" that lies in the
// cell less the share of the "hits" in "minus", and both counts, so that nothing is lost to a float. "max" is the
// greatest difference of a cell, up or down; "moved", the sum of all differences up, is the share of hits that lie in other
// cells. "minus" names the other side, with the prefix that it holds: in one generation that of the answer. Sides that are
// kept in cells of different size ("kept_cell") are brought to the coarser ("cell"). If a side has no hits there are no
// points, and it has a "why". It is never thinned: without a limit it has all cells, and a limit below their number is
// refused. In csv the names are x,y,difference,hits,minus_hits; there is no field of it.
//
// Generations and reports are the types of package heatmap by those names. A change of state answers with the generation as it
// is then; dropping one answers 204 when it is off the list, and deletes what is stored of it later.
//
// An export that breaks off ends its chunked body without the last chunk, so that a client sees an error and not an end.
//
// # Answers that stay alive
//
// POST /v1/queries asks a question: "kind" is one of heatmap, scroll, elements, pages and trend, "params" are the parameters of
// that route, which are checked as there, and "start" says where in the log the answer begins: "beginning" (default), "now", or an
// instant, with the first hit that was appended then or later. The answer is status 201 with "id", "url" and "stream". The same
// question, whoever asks it and whenever, is the same ID: defaults are filled in, instants written in UTC and expressions as
// [Options].CanonicalWhere writes them, while last=7d and a URL stay as they are. One that begins now is another one each time. An ID
// is a keyed hash of that form, so that it is the same after a restart; what is asked is not kept, so a stream of an ID that nobody
// asked since is answered 404, and the question must be put again. A map has all cells, whatever limit is; noise, minus_… and
// other formats than json are refused.
//
// A stream is a WebSocket with a JSON text for each message, or server-sent events whose data is the same JSON. It is never
// compressed. Every message has
//
//	event                             snapshot, patch, progress, reset or bye
//	id, token                         of the question; what the stream goes on by behind the message
//	generation, positions, lag_hits   the prefix of the log that the answer holds by then: exact at any time
//
// and by its event
//
//	snapshot  all rows; patch those that changed since the message before. Both have "version", which grows, "complete" (all of the
//	          log from start on is in it) and the other members of the route's answer, but for share of elements: always whole, so
//	          that a member that is missing (why, sampled) is there no more. Rows have absolute values and no order. Of points a
//	          weight of 0, of others "gone" with the key (url, start, or {sel, check, fixed}) is a row that went; a scroll has
//	          "bands", how many there are
//	progress  nothing new to see: each LiveLimits.Beat, and while the log is read at most 4 times a second with "history"
//	          ({"done","total" (hits), "share","hits_per_s","eta_ms"}). "complete" as in a patch
//	reset     the answer begins anew with a snapshot, which follows: "reason" is generation (another one is active), day (a range
//	          with last= moved on) or restart
//	bye       the stream ends, with the token and positions of what it was told: "code" shutdown, ended (by DELETE), expired (the token
//	          or session), too_many (more than limits allow) or gone, "reason" for a person, and "retry_ms", when to come back;
//	          without it coming back is in vain
//
// A stream that was cut goes on by the header Last-Event-ID or after=TOKEN, with one patch of all that changed meanwhile; or with a
// snapshot, if the node is another one by now or has forgotten rows that went so long ago. A token says nothing but where its stream
// stood and opens nothing: who comes back needs the right to read again.
//
// A question is a node: one goroutine that asks [Kept].Update what changed, after quiet at once and else once a tick, and not at all
// while nobody listens. Each row has the version in which it changed last, and rows are linked in that order; so a patch since a
// version costs what it has, and a listener is no more than a number: what it gets next is made, or taken if others stand at the same
// number, when it is ready for it. Who reads slowly gets larger and later patches, who takes none within LiveLimits.WriteLimit is cut
// off, with nothing queued for them at any time. Memory is that of the rows: about 64 bytes a cell.
//
// # Errors
//
//	{"error":{"code":"bad_param","message":"cell is \"7\", want a multiple of 8, from 8 to 4096","field":"cell"}}
//
// "field" is there where one parameter or member is to blame. Codes: bad_param, bad_request (400), unauthorized, expired
// (401), forbidden, cross_site, other_site, origin_not_listed (403), not_found (404), method_not_allowed (405), not_acceptable (406), timeout
// (408), conflict (409), too_large (413), too_many (429, with Retry-After), headers_too_large (431), internal (500; the
// cause is in the log), unavailable (503, with Retry-After), and those that [Sites] gives (400).
//
// # Limits
//
// First line and headers of a request are at most 16 KiB, and come with its body within 10 s, but for an import, whose
// client may take 30 s for each piece. A connection may be idle for 60 s; who is slow or silent is cut off then, and
// costs the others nothing meanwhile. Options.MaxConns is how many there are at a time.
//
// [LiveLimits] bound answers that stay alive: 64 questions a site, of which one that nobody listens to makes room, 4,096 streams, of
// which an overlay token or a session has 64, and a tick of 200 ms. What is beyond is refused with status 503 and its reason. How many
// rows an answer has is up to who gives it. An answer that took too long (503) says with which body it is asked so that it stays alive.
package web
