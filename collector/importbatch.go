package collector

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// partLines is how many lines a part of a named import has at most.
const partLines = 1000

// part is a run of lines of a named import that is counted at most once. Where parts end follows from the lines alone, not
// from what is accepted of them: a repeat has the same parts even if the clock or the sites have changed.
type part struct {
	hits  []heatmap.Hit
	bytes int // of its lines
}

// errTooLarge is the error for a named import over its limits.
var errTooLarge = errors.New("the import is too large")

// batch stores all lines or, if the body is not complete or too large, none.
func (im *importer) batch(id string) (status int) {
	parts, sites, err := im.parts()
	if errors.Is(err, errTooLarge) {
		im.c.counts.broken.Add(1)
		return im.fail(fasthttp.StatusRequestEntityTooLarge, apiError{codeTooLarge, err.Error(), "batch"})
	}
	if err != io.EOF {
		return im.broken(err)
	}
	err = im.storeParts(id, parts, sites)
	im.c.counts.importAccepted.Add(uint64(im.answer.Accepted))
	if err != nil {
		return im.notStored(im.lines.number, fmt.Errorf("the batch is stored in part and can be repeated: %w", err))
	}
	return fasthttp.StatusOK
}

// parts reads the whole body. The error is io.EOF if it is complete.
func (im *importer) parts() (parts []part, sites []*siteEntry, err error) {
	for count := 0; ; {
		line, tooLong, err := im.lines.next()
		if err != nil {
			return parts, sites, err
		}
		if im.body.n > MaxBatchBytes {
			return nil, nil, fmt.Errorf("%w: it has more than %d bytes", errTooLarge, MaxBatchBytes)
		}
		size := len(line) + 1
		if tooLong {
			size = MaxLine
		}
		parts = partOf(parts, im.lines.number, size)
		if !tooLong && isBlank(line) {
			continue
		}
		if count++; count > MaxBatchLines {
			return nil, nil, fmt.Errorf("%w: it has more than %d lines", errTooLarge, MaxBatchLines)
		}
		if tooLong {
			im.reject(lineTooLong())
			continue
		}
		if last := &parts[len(parts)-1]; im.parseInto(last, line) {
			sites = addUnused(sites, im.p.site)
		}
	}
}

// partOf adds the line with a number to the last part, or to a new one if that is full.
func partOf(parts []part, number, size int) []part {
	n := len(parts)
	if (number-1)%partLines == 0 || n > 0 && parts[n-1].bytes+size > MaxAppendBytes {
		parts = append(parts, part{})
		n++
	}
	parts[n-1].bytes += size
	return parts
}

// parseInto adds a line's hit to t, or rejects the line.
func (im *importer) parseInto(t *part, line []byte) bool {
	t.hits = append(t.hits, heatmap.Hit{})
	if im.p.parseLine(line, &t.hits[len(t.hits)-1]) {
		return true
	}
	t.hits = t.hits[:len(t.hits)-1]
	im.reject(&im.p.fault)
	return false
}

// storeParts appends the parts, as many at once as an append may hold, and counts what is stored.
func (im *importer) storeParts(id string, parts []part, sites []*siteEntry) error {
	var batches []heatmap.Batch
	var hits, bytes int
	flush := func() error {
		if hits == 0 {
			return nil
		}
		if err := im.c.waitAdmitted(hits); err != nil {
			return err
		}
		if err := im.c.store(sites, batches); err != nil {
			return err
		}
		im.answer.Accepted += hits
		batches, hits, bytes = batches[:0], 0, 0
		return nil
	}
	for i, t := range parts {
		if hits+len(t.hits) > MaxAppendHits || bytes+t.bytes > MaxAppendBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(t.hits) > 0 {
			batches = append(batches, heatmap.Batch{ID: id + "#" + strconv.Itoa(i+1), Hits: t.hits})
			hits, bytes = hits+len(t.hits), bytes+t.bytes
		}
	}
	return flush()
}
