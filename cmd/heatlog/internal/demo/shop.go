package demo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"strconv"
)

//go:embed boxes.json
var boxes []byte

// Shop is what boxes.json holds: the pages of the demo shop as a browser shows them.
type Shop struct {
	// Fonts are the widths of a sample text in the heading's and the text's font, hundredths of a px: with other fonts
	// lines break elsewhere.
	Fonts []int  `json:"fonts"`
	Pages []Page `json:"pages"`
}

// Page is one page of the shop.
type Page struct {
	Path     string    `json:"path"` // below the server's address, as /demo/shop
	Elements []Element `json:"elements"`
	Layouts  []Layout  `json:"layouts"` // one for each of Widths
}

// The kinds of elements.
const (
	KindArea    = "area"    // a part of the page: what is clicked by who misses a button
	KindPicture = "picture" // looks like a link, and is none
	KindOpen    = "open"    // a link to another page of the shop
	KindAct     = "act"     // changes something where it stands
)

// Element is something that can be clicked.
type Element struct {
	Selector string  `json:"sel"`             // as the tracker names it
	Check    *uint16 `json:"check,omitempty"` // the tracker's hash of its text, nil = none
	Kind     string  `json:"kind"`
	Weight   int     `json:"weight,omitempty"` // how often it is clicked, beside the others
	To       string  `json:"to,omitempty"`     // path of the page that it opens
	Around   int     `json:"around,omitempty"` // index of the area that it is in
}

// Layout is a page at one width. Boxes has one entry for each element, empty for one that is not visible.
type Layout struct {
	Width int     `json:"w"`  // of the viewport, px
	DocW  int     `json:"dw"` // of the document, px
	DocH  int     `json:"dh"`
	Boxes [][]int `json:"boxes"`
}

// The numbers of a box, px. Only boxes that stick to the viewport have BoxStick and BoxLast.
const (
	BoxX = iota
	BoxY // when the page is scrolled to its top
	BoxW
	BoxH
	BoxLabel  // from the box's left edge to that of its text
	BoxLabelW // width of its text
	BoxStick  // distance from the viewport's top when it sticks there
	BoxLast   // y on the page from which on it moves with the page again
)

// Widths are the viewport widths for which there are layouts, px.
var Widths = []int{360, 390, 412, 768, 820, 1280, 1440, 1536, 1920}

// Boxes gives the content of boxes.json.
func Boxes() *Shop {
	shop := &Shop{}
	if err := json.Unmarshal(boxes, shop); err != nil {
		panic("demo: boxes.json: " + err.Error())
	}
	return shop
}

// Append appends the content of boxes.json for s, one layout a line.
func (s *Shop) Append(dst []byte) []byte {
	dst = append(appendJSON(append(dst, "{\"fonts\":"...), s.Fonts), ",\"pages\":["...)
	for i := range s.Pages {
		p := &s.Pages[i]
		dst = append(separate(dst, i), "\n{\"path\":"...)
		dst = append(appendJSON(dst, p.Path), ",\"elements\":["...)
		for j := range p.Elements {
			dst = appendJSON(append(separate(dst, j), '\n'), &p.Elements[j])
		}
		dst = append(dst, "\n],\"layouts\":["...)
		for j := range p.Layouts {
			dst = appendJSON(append(separate(dst, j), '\n'), &p.Layouts[j])
		}
		dst = append(dst, "\n]}"...)
	}
	return append(dst, "\n]}\n"...)
}

func separate(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

// appendJSON appends v without the escapes for HTML, which would make most selectors twice as long.
func appendJSON(dst []byte, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("demo: encode: " + err.Error())
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// page gives the index of the page at a path, -1 if there is none.
func (s *Shop) page(path string) int {
	return slices.IndexFunc(s.Pages, func(p Page) bool { return p.Path == path })
}

// layout gives a page at one of Widths.
func (p *Page) layout(width int) *Layout {
	i := slices.IndexFunc(p.Layouts, func(l Layout) bool { return l.Width == width })
	if i < 0 {
		panic("demo: boxes.json lacks " + p.Path + " at " + strconv.Itoa(width) + " px")
	}
	return &p.Layouts[i]
}

// sticks reports whether a box sticks to the viewport.
func sticks(box []int) bool { return len(box) > BoxLast }

// top gives the y of a box on the page when the page is scrolled by so many px.
func top(box []int, scrolled int) int {
	if !sticks(box) {
		return box[BoxY]
	}
	return max(box[BoxY], min(scrolled+box[BoxStick], box[BoxLast]))
}
