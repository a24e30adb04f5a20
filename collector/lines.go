package collector

import (
	"bytes"
	"io"
)

// readBytes is how much a lineReader asks for at once.
const readBytes = 256 << 10

// lineExtra is what may stand beside a line of MaxLine bytes: a byte order mark before it, a CR after it.
const lineExtra = len(byteOrderMark) + len("\r")

const byteOrderMark = "\ufeff"

// maxEmptyReads is how often a reader may give nothing before it is taken for stuck.
const maxEmptyReads = 100

// lineReader cuts a stream into lines. Its memory does not depend on how long they are.
type lineReader struct {
	r          io.Reader
	buf        []byte // of readBytes plus a line and its end
	start, end int    // what of buf is not yet given
	searched   int    // no line ends between start and here
	number     int    // of the line that was given last, from 1
	skipping   bool   // inside a line that is too long
	err        error  // sticky, of r
}

// reset begins a stream.
func (l *lineReader) reset(r io.Reader) {
	buf := l.buf
	if buf == nil {
		buf = make([]byte, readBytes+MaxLine+lineExtra)
	}
	*l = lineReader{r: r, buf: buf}
}

// next gives the next line without its end, a view that the call after invalidates. tooLong says that it was over
// MaxLine and was skipped. The error is io.EOF after the last line; any other means that the stream broke off, and what
// came of its last line is not given, though number counts it.
func (l *lineReader) next() (line []byte, tooLong bool, err error) {
	for {
		if i := bytes.IndexByte(l.buf[l.searched:l.end], '\n'); i >= 0 {
			line = l.buf[l.start : l.searched+i]
			l.start = l.searched + i + 1
			l.searched = l.start
			return l.give(line)
		}
		l.searched = l.end
		if l.end-l.start > MaxLine+lineExtra {
			l.skipping = true
			l.start = l.end
		}
		if l.err != nil {
			return l.last()
		}
		l.fill()
	}
}

// give hands out a line that has ended.
func (l *lineReader) give(line []byte) ([]byte, bool, error) {
	l.number++
	if l.skipping {
		l.skipping = false
		return nil, true, nil
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if l.number == 1 {
		line = bytes.TrimPrefix(line, []byte(byteOrderMark))
	}
	return line, len(line) > MaxLine, nil
}

// last hands out the line that has no end, if there is one and the stream did not break off.
func (l *lineReader) last() ([]byte, bool, error) {
	if l.err != io.EOF {
		l.number++
		return nil, false, l.err
	}
	if l.start == l.end && !l.skipping {
		return nil, false, io.EOF
	}
	line := l.buf[l.start:l.end]
	l.start, l.searched = l.end, l.end
	return l.give(line)
}

// fill reads more.
func (l *lineReader) fill() {
	if l.start > 0 {
		n := copy(l.buf, l.buf[l.start:l.end])
		l.start, l.end, l.searched = 0, n, n
	}
	for range maxEmptyReads {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}
