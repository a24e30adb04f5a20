package heatmap

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// ElementID names an element of a page: the upper 48 bits of the xxhash64 of its selector and of what tells it from others
// that the selector found at other times, its check. 0 is no element.
type ElementID uint64

const elementBytes = 6 // of an ElementID in a blob

// maxElement is the greatest ElementID.
const maxElement = 1<<(8*elementBytes) - 1

// ElementName is what an ElementID stands for.
type ElementName struct {
	Selector string // at most MaxSelector bytes
	Check    uint16 // meaningful if HasCheck
	HasCheck bool
	Fixed    bool // it was fixed or sticky at a click at least, of those that the name was taken from; not part of the ElementID
}

// ID names the element: the hash of the selector, a byte 0 and, if there is one, the check, little-endian. Without a selector
// there is no element.
func (n *ElementName) ID() ElementID {
	if n.Selector == "" {
		return 0
	}
	var memory [128]byte
	b := append(append(memory[:0], n.Selector...), 0)
	if n.HasCheck {
		b = binary.LittleEndian.AppendUint16(b, n.Check)
	}
	return max(ElementID(xxhash.Sum64(b)>>(64-8*elementBytes)), 1)
}

// InnerCell is a place inside an element's box: the box is cut into a power of two of columns and of rows. Their logarithms
// stand in bits 24 to 27 and 20 to 23, the column in bits 10 to 19 and the row in bits 0 to 9.
type InnerCell uint32

// Sides of the cells inside an element.
const (
	InnerCellSize = 4  // px at most, at the size that the element had, if that is at most InnerCellSize << maxInner
	maxInner      = 10 // logarithm of the most columns and rows, which an element of unknown size has too
	innerSpan     = maxInner + 1
)

// Anchor says at which element, and where inside its box, a click was. The zero value is none.
type Anchor struct {
	Element ElementID
	Cell    InnerCell
}

// ElementName gives the name of the element that a hit was at.
func (h *Hit) ElementName() ElementName {
	return ElementName{Selector: h.Selector, Check: h.Check, HasCheck: h.HasCheck, Fixed: h.Flags&FlagFixed != 0}
}

// Anchor gives the element that a hit was at, and the place inside it.
func (h *Hit) Anchor() Anchor {
	if h.Selector == "" {
		return Anchor{}
	}
	name := h.ElementName()
	return Anchor{name.ID(), InnerCellOf(h.BoxW, h.BoxH, h.AnchorX, h.AnchorY)}
}

// InnerCellOf gives the cell of a place in a box of w and h px, 0 for unknown: ax and ay are parts of its width and height
// in units of 1/AnchorUnit, 0 to AnchorUnit. The box is cut into as few cells as make each at most InnerCellSize px wide and
// high, but at most 1,024 each way.
func InnerCellOf(w, h uint16, ax, ay uint32) InnerCell {
	sx, sy := innerSteps(w), innerSteps(h)
	return innerCell(sx, sy, innerStep(ax, sx), innerStep(ay, sy))
}

// innerSteps gives the logarithm of the number of cells that a side of so many px is cut into.
func innerSteps(size uint16) uint32 {
	if size == 0 {
		return maxInner
	}
	return min(uint32(bits.Len32((uint32(size)+InnerCellSize-1)/InnerCellSize-1)), maxInner)
}

func innerStep(at, steps uint32) uint32 {
	return min(at<<steps/AnchorUnit, 1<<steps-1)
}

func innerCell(sx, sy, col, row uint32) InnerCell {
	return InnerCell(sx<<24 | sy<<20 | col<<10 | row)
}

// steps gives the logarithms of the numbers of columns and rows.
func (c InnerCell) steps() (sx, sy uint32) { return uint32(c >> 24), uint32(c >> 20 & 15) }

func (c InnerCell) place() (col, row uint32) { return uint32(c >> 10 & 1023), uint32(c & 1023) }

// coarser gives the cell that holds c when each side is halved so many times, as far as it can be.
func (c InnerCell) coarser(by uint8) InnerCell {
	sx, sy := c.steps()
	col, row := c.place()
	bx, by32 := min(sx, uint32(by)), min(sy, uint32(by))
	return innerCell(sx-bx, sy-by32, col>>bx, row>>by32)
}

// Centre gives the middle of the cell as parts of the box's width and height, 0 to 1.
func (c InnerCell) Centre() (x, y float64) {
	sx, sy := c.steps()
	col, row := c.place()
	return (float64(col) + 0.5) / float64(uint32(1)<<sx), (float64(row) + 0.5) / float64(uint32(1)<<sy)
}

// Valid reports whether c is a cell that InnerCellOf can give.
func (c InnerCell) Valid() bool {
	sx, sy := c.steps()
	col, row := c.place()
	return sx <= maxInner && sy <= maxInner && col>>sx == 0 && row>>sy == 0
}
