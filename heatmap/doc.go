// Package heatmap is the domain of heatlog: hits, the keys under which they are counted, the grids that count them, the
// blobs that grids are stored as, and what can be drawn from them. It does no I/O, starts no goroutine and imports
// nothing of heatlog's.
//
// A [Hit] is one thing that a visitor did. Hits of one page and one [Period] are counted in a [Delta], which holds one
// layer for each [LayerID]: a kind, a band of viewport widths, a device, a bot or not. Deltas merge in any order to the
// same result. A delta is stored as a blob ([Delta.Append], [Delta.MergeBlob]); the encoding is canonical: equal counts
// give equal bytes. A [Query] names what an analyst asks, a [Heatmap], a [Scroll] or a [PageList] is the answer.
//
// # What counting, merging and reading cost
//
// What a hit, a cell or a blob costs of one core (AMD EPYC), as processor time, for clicks on a page that has them mostly around
// 40 spots:
//
//	go test -run - -bench 'Add|Merge|Reduce|Encode|BlobLayers|Points' -cpu 1 ./heatmap
//
// Counting (-bench Add): a hit is noted, 8 or 16 bytes in a block of [Notes], and what is noted is counted some 1,000 hits at a
// time: 35 ns for a click at a known cell, 57 ns for a scroll. The limit is to write the note; the rest is sorting, so that a layer
// is found once for all of its hits, and adding to its cells.
//
// Merging and decoding (-bench 'Merge|Reduce'): 90 days of 5,000 cells add up in 7.2 ms, 16 ns a cell, whether they are blobs or deltas in
// memory. The limit is to read two numbers of variable length a cell and to add one: reading takes a fifth, adding with the
// making of tiles a third. The rest is making and ordering the tables that layers have before they become tiles, checksums and
// memory. Small blobs cost by the blob, for head and directory: 100 cells take 4 us, and two 0.2 us. Only the directory is read
// where the hits of layers are all that is wanted: under 0.1 us (-bench BlobLayers).
//
// Encoding (-bench Encode): 10 to 12 ns a cell, of 5,000 or 80,000. The limit is to write two numbers of variable length; half of
// the time and more goes to bringing the cells of a table into order, which a canonical blob needs.
//
// Reducing (-bench Points): 80,000 cells become points, heaviest first, in 1.5 ms, 19 ns a cell. The limit is to read the cells,
// half of it; a third is the sort.
//
// # What drawing costs
//
// Heat is the sum of weight·(1 − d²/24²)² over the cells: one multiplication and addition for each cell and each sample
// that its kernel reaches. That is the limit of all three ways to draw; Go gives it no vectors, so that it goes at about one
// a ns. All figures are of one core (AMD EPYC), by the benchmarks of the same names.
//
// [Thin] brings 40,000 cells to 4,000 points in 4.7 ms, the error included. The limit is to draw the cells once, at 57
// corners and centres each, as an error that is not a guess needs that: where many cells of a row have hits the row is drawn at
// once, from sums that its samples share, which takes a fifth of drawing cell by cell: 0.9 ms. The rest goes to the tree (four
// tenths), drawing the points in turn (a fifth, as they lie anywhere and have no table), looking for the greatest of 240,000 samples
// twice and choosing what is merged (a tenth each). A page with hits in every cell, 120,000, takes 9 ms. What the error
// is depends on the page, not on the time: hits that lie everywhere need a point in every 24 px to be drawn at all. The trie merges
// cells in aligned rectangles of two to one; merging by neighbours would leave less error and take several times as long.
//
// [DrawField] draws 1,280 x 8,000 px in 7.7 ms for 40,000 cells and in 23 ms for hits in every cell. The limit is 113
// samples a cell: 4.5 ms and 18 ms, 0.6 and 0.8 of it. The rest is the PNG: filter, Deflate at its fastest level and
// checksums of 640,000 bytes (a quarter where heat is uneven, a twentieth where it is flat). The file has 48 kB, or 4 kB.
//
// [DrawPNG] draws the same in 45 ms, of which 3 ms are heat. The limit is to write 10 million pixels through Deflate:
// half of the time goes to that (matching, codes and the Adler checksum), a third to the line between samples for
// each pixel, a tenth to the filter. Fewer pixels are the way to less: the browser enlarges a field as well.
package heatmap
