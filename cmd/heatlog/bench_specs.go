package main

// rowID names a row in the code.
type rowID string

// benchSpec declares a row of the table.
type benchSpec struct {
	part   string
	id     rowID
	row    string // its name in the table
	unit   string
	beside string  // what the yardstick is
	least  bool    // the value must be at least what is wanted, else at most
	reach  float64 // ratio to the yardstick that is wanted
	limit  float64 // value that is wanted, in the unit, instead of a ratio; also the yardstick of a row without one; 0 and no reach = a figure
}

// benchSpecs declares the table.
func benchSpecs() []benchSpec {
	const (
		bare = "a bare fasthttp handler"
		hot  = "hottest page, 90 days, one width band, {hits} hits: "
	)
	return []benchSpec{
		{part: "in", id: "in20", row: "POST of 20 hits, {ack}, {conns} connections", unit: "requests/s", beside: bare, least: true, reach: 0.35},
		{part: "in", id: "in20 cpu", row: "POST of 20 hits by the server's CPU time", unit: "requests/CPU s", beside: bare, least: true, reach: 0.35},
		{part: "in", id: "in20 hits", row: "hits in batches of 20", unit: "hits/s", least: true, limit: 600_000},
		{part: "in", id: "in20 parse", row: "batches of 20 parsed and checked alone", unit: "hits/CPU s", least: true, limit: 600_000},
		{part: "in", id: "in20 allocs", row: "allocations of parsing and checking: each more hit of a batch", unit: "a hit", limit: 0.01},
		{part: "in", id: "in1 allocs", row: "allocations of parsing and checking: a batch of one hit", unit: "a batch"},
		{part: "in", id: "in20 million", row: "server CPU of hits in batches of 20", unit: "s/million hits", limit: 1.67},
		{part: "in", id: "in20 memory", row: "peak memory of the server that takes them", unit: "MiB", limit: 400},
		{part: "in", id: "in1", row: "POST of 1 hit, {ack}, {conns} connections", unit: "requests/s", beside: bare, least: true, reach: 0.45},
		{part: "in", id: "in1 cpu", row: "POST of 1 hit by the server's CPU time", unit: "requests/CPU s", beside: bare, least: true, reach: 0.45},
		{part: "in", id: "half p50", row: "acknowledgement at half the top rate, p50", unit: "ms", limit: 20},
		{part: "in", id: "half p99", row: "acknowledgement at half the top rate, p99", unit: "ms", limit: 20},
		{part: "in", id: "visible p50", row: "from the 204 to the first answer that counts the hit, at half the top rate, p50", unit: "ms", limit: 100},
		{part: "in", id: "visible p99", row: "from the 204 to the first answer that counts the hit, at half the top rate, p99", unit: "ms", limit: 100},

		{part: "query", id: "hot", row: hot + "limit=0, p50", unit: "ms", limit: 5},
		{part: "query", id: "hot duckdb", row: hot + "limit=0 beside DuckDB, p50", unit: "ms", beside: "GROUP BY in DuckDB", reach: 1},
		{part: "query", id: "hot p99", row: hot + "limit=0, p99", unit: "ms", limit: 25},
		{part: "query", id: "hot msgpack", row: hot + "limit=0, msgpack, p50", unit: "ms", limit: 5},
		{part: "query", id: "hot msgpack p99", row: hot + "limit=0, msgpack, p99", unit: "ms", limit: 25},
		{part: "query", id: "hot first", row: hot + "limit=4000, first thinning, p50", unit: "ms", limit: 20},
		{part: "query", id: "hot thinned", row: hot + "limit=4000 again, p50", unit: "ms", limit: 5},
		{part: "query", id: "hot thinned p99", row: hot + "limit=4000 again, p99", unit: "ms", limit: 25},
		{part: "query", id: "hot cold", row: hot + "limit=0, cold caches, p50", unit: "ms", limit: 30},
		{part: "query", id: "pattern", row: "1,111 pages by a pattern, 90 days, {hits} hits: limit=4000, first thinning, p50", unit: "ms", limit: 150},
		{part: "query", id: "pattern exact", row: "1,111 pages by a pattern, 90 days, {hits} hits: limit=0, p50", unit: "ms", limit: 150},
		{part: "query", id: "hot field", row: "hottest page, 90 days, all widths, {hits} hits: format=field, p50", unit: "ms"},
		{part: "query", id: "error 500", row: "hottest page, 90 days, all widths, {hits} hits: error of limit=500", unit: "% of the maximum"},
		{part: "query", id: "error 1000", row: "hottest page, 90 days, all widths, {hits} hits: error of limit=1000", unit: "% of the maximum"},
		{part: "query", id: "error 4000", row: "hottest page, 90 days, all widths, {hits} hits: error of limit=4000", unit: "% of the maximum"},
		{part: "query", id: "blobs", row: "blobs of days and months, {hits} hits", unit: "bytes/hit", beside: "MonkeyTracker", limit: 9},
		{part: "query", id: "blobs days", row: "blobs of days, {hits} hits", unit: "bytes/hit", beside: "MonkeyTracker", limit: 5},
		{part: "query", id: "mongodb documents", row: "the same as MongoDB's documents, uncompressed, {hits} hits", unit: "bytes/hit", beside: "MonkeyTracker", reach: 1},
		{part: "query", id: "mongodb index", row: "keys of MongoDB's index of them, uncompressed, {hits} hits", unit: "bytes/hit", beside: "MonkeyTracker", reach: 1},
		{part: "query", id: "mongodb hits", row: "hits a document, {hits} hits", unit: "hits", beside: "MonkeyTracker", least: true, reach: 1},
		{part: "query", id: "journal active", row: "journal, active segments", unit: "bytes/hit"},
		{part: "query", id: "journal sealed", row: "journal, sealed segments", unit: "bytes/hit", limit: 11},

		{part: "apply", id: "apply sealed", row: "journal to live grids, sealed segments, one core, {apply} hits", unit: "hits/s", beside: "decode alone", least: true, limit: 2_500_000},
		{part: "apply", id: "apply active", row: "journal to live grids, active segments, one core, {apply} hits", unit: "hits/s", beside: "decode alone", least: true, limit: 1_000_000},
		{part: "apply", id: "scan", row: "scan of an expression over two columns, sealed segments, all cores, {apply} hits", unit: "hits/s", beside: "decode of its columns alone", least: true, limit: 5_000_000},

		{part: "import", id: "import", row: "import of a file, client and server on all cores, {apply} hits", unit: "hits/s", least: true, limit: 150_000},

		{part: "replay", id: "replay", row: "replay of {hits} hits on all cores", unit: "hits/s", beside: "decompressing and decoding alone, one core", least: true, limit: 51_300_000.0 / 25},
		{part: "replay", id: "replay compared", row: "comparison of a replay before the switch", unit: "hits/s", least: true, limit: 51_300_000.0 / 50},

		{part: "analysts", id: "analysts", row: "{analysts} analysts, each a question every 2 s, while 50,000 hits/s come in: p99", unit: "ms", beside: "without hits", limit: 100},
		{part: "analysts", id: "analysts burst", row: "{analysts} questions in the same instant, while 50,000 hits/s come in: p99", unit: "ms", beside: "without hits", limit: 100},
		{part: "analysts", id: "analysts kept", row: "hits that come in meanwhile", unit: "hits/s", beside: "without analysts", least: true, reach: 0.9},

		{part: "live", id: "live p50", row: "from the 204 to the patch on the socket, while 20,000 hits/s come in, p50", unit: "ms", limit: 300},
		{part: "live", id: "live p99", row: "from the 204 to the patch on the socket, while 20,000 hits/s come in, p99", unit: "ms", limit: 300},
		{part: "live", id: "live evaluations", row: "evaluations a tick of 10 live questions that 1,000 look on at", unit: "evaluations", limit: 10.5},
		{part: "live", id: "live kept", row: "hits that come in while 1,000 look on at 10 pages", unit: "hits/s", beside: "without them", least: true, reach: 0.9},

		{part: "draw", id: "png", row: "coloured PNG of a page of 1,280 × 8,000 px, p50", unit: "ms", limit: 100},
		{part: "draw", id: "png bytes", row: "size of that PNG", unit: "bytes"},
		{part: "draw", id: "field", row: "field of a page of 1,280 × 8,000 px, p50", unit: "ms", limit: 60},
		{part: "draw", id: "field bytes", row: "size of that field", unit: "bytes"},

		{part: "large", id: "large hot", row: "hottest page, 90 days, one width band, {large} hits, cells of 16 px: limit=0, p50", unit: "ms", beside: "at {hits}", reach: 1.5},
		{part: "large", id: "large first", row: "hottest page, 90 days, one width band, {large} hits, cells of 16 px: limit=4000, first thinning, p50", unit: "ms", beside: "at {hits}", reach: 1.5},
		{part: "large", id: "large blobs", row: "blobs of days and months, {large} hits", unit: "bytes/hit", limit: 9},
		{part: "memory", id: "memory", row: "peak memory with {memory} hits stored, 200,000 pages, 64 MiB cache, under full load", unit: "MiB", limit: 500},

		{part: "beside", id: "beside", row: "POST of 20 hits while generations are built", unit: "requests/s", beside: "without", least: true, reach: 0.7},
		{part: "beside", id: "beside p99", row: "acknowledgement while generations are built, p99", unit: "ms", beside: "without", reach: 2},
	}
}
