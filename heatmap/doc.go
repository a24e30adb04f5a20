// Package heatmap is the domain of heatlog: hits, the keys under which they are counted, the grids that count them, the
// blobs that grids are stored as, and what can be drawn from them. It does no I/O, starts no goroutine and imports
// nothing of heatlog's.
//
// A [Hit] is one thing that a visitor did. Hits of one page and one [Period] are counted in a [Delta], which holds one
// layer for each [LayerID]: a kind, a band of viewport widths, a device, a bot or not. Deltas merge in any order to the
// same result. A delta is stored as a blob ([Delta.Append], [Delta.MergeBlob]); the encoding is canonical: equal counts
// give equal bytes. A [Query] names what an analyst asks, a [Heatmap], a [Scroll] or a [PageList] is the answer.
package heatmap
