package heatmap

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"image/color"
	"io"

	"github.com/klauspost/compress/zlib"
)

// pngWriter writes a picture of a byte a pixel row by row, so that it is never in memory as a whole. The format is
// ISO/IEC 15948:2004. The first error stays and is what close gives.
type pngWriter struct {
	w    io.Writer
	idat *bufio.Writer
	z    *zlib.Writer
	last []byte // the row above
	line []byte // filter and filtered row
	err  error
}

const (
	pngUp    = 2       // filter: the difference from the row above
	pngPiece = 1 << 16 // bytes of an IDAT chunk
)

// What pixels are: 8 bits, the type of colour, and no choice of methods.
const (
	pngGrey    = "\x08\x00\x00\x00\x00"
	pngPalette = "\x08\x03\x00\x00\x00" // colours comes before the first row
)

func newPNG(w io.Writer, width, height int, pixel string) *pngWriter {
	p := &pngWriter{w: w, last: make([]byte, width), line: make([]byte, width+1)}
	p.line[0] = pngUp
	p.write([]byte("\x89PNG\r\n\x1a\n"))
	head := binary.BigEndian.AppendUint32(nil, uint32(width))
	head = binary.BigEndian.AppendUint32(head, uint32(height))
	p.chunk("IHDR", append(head, pixel...))
	p.idat = bufio.NewWriterSize(idatWriter{p}, pngPiece)
	var err error
	if p.z, err = zlib.NewWriterLevel(p.idat, zlib.BestSpeed); err != nil {
		panic("heatmap: " + err.Error()) // the level is a constant
	}
	return p
}

// colours writes what the numbers of pixels stand for.
func (p *pngWriter) colours(palette []color.NRGBA) {
	var rgb, alpha []byte
	for _, c := range palette {
		rgb = append(rgb, c.R, c.G, c.B)
		alpha = append(alpha, c.A)
	}
	p.chunk("PLTE", rgb)
	p.chunk("tRNS", alpha)
}

// row writes the next row.
func (p *pngWriter) row(pixels []byte) {
	out := p.line[1:]
	last := p.last[:len(out)]
	for i, v := range pixels[:len(out)] {
		out[i] = v - last[i]
	}
	copy(last, pixels)
	if _, err := p.z.Write(p.line); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *pngWriter) close() error {
	if err := p.z.Close(); err != nil && p.err == nil {
		p.err = err
	}
	if err := p.idat.Flush(); err != nil && p.err == nil {
		p.err = err
	}
	p.chunk("IEND", nil)
	return p.err
}

func (p *pngWriter) chunk(name string, data []byte) {
	p.write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
	p.write([]byte(name))
	p.write(data)
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(name)), crc32.IEEETable, data)
	p.write(binary.BigEndian.AppendUint32(nil, sum))
}

func (p *pngWriter) write(b []byte) {
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
}

// idatWriter makes an IDAT chunk of each write.
type idatWriter struct{ p *pngWriter }

func (w idatWriter) Write(b []byte) (int, error) {
	w.p.chunk("IDAT", b)
	return len(b), w.p.err
}
