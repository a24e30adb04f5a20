package browsertest

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
)

// testField has heat that lies flat over the page, which the overlay draws from the server's field, and hot spots of more
// cells than points are asked for, which it draws from merged points. Both are as the exact drawing is.
func (o *owner) testField(t *testing.T) {
	var flat, spots []map[string]any
	for row := range 360 {
		for col := range 160 {
			if (col/20+row/30)%2 == 0 {
				flat = append(flat, o.click("/flat", col*8+4, row*8+4, 1280))
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 40_000 {
		x, y := 200+i%4*280+int(r.NormFloat64()*40), 300+i/4%4*700+int(r.NormFloat64()*28)
		spots = append(spots, o.click("/spots", max(x, 0), max(y, 0), 1280))
	}
	o.send(flat...)
	o.send(spots...)
	o.mute.Store(true) // it comes by streams as long as there are few enough cells
	defer o.mute.Store(false)
	for _, size := range []browser.Size{browser.Desktop, {Width: 1280, Height: 900, Scale: 2}} {
		o.drawnAs(t, "/flat", size, true, "28,800", 0.1, 0.01)
		o.drawnAs(t, "/spots", size, false, "40,000", 0.0001, 0.02)
	}
}

// drawnAs opens a page whose heat is drawn from a field or from points with an error of at least so much, and compares what
// is drawn with the exact picture: the heat may be off by a share of the greatest.
func (o *owner) drawnAs(t *testing.T, page string, size browser.Size, field bool, hits string, least, off float64) {
	t.Helper()
	var a struct {
		Cells   int
		Thinned bool
		Error   float64
	}
	o.server.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {o.base + page}}, &a)
	if !a.Thinned || a.Error < least || (a.Error >= 0.02) != field {
		t.Fatalf("%s has %d cells, thinned %t, error %g", page, a.Cells, a.Thinned, a.Error)
	}
	exact := serverPicture(t, o.server, url.Values{"site": {"shop"}, "url": {o.base + page}}, size.Width, 3000).(*image.Paletted)
	p := o.open(page, size)
	panelSays(t, p, hits, "in a spot")
	p.Hover(200, 300)
	tip := ""
	for end := time.Now().Add(5 * time.Second); tip == "" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		tip = inPanel[string](p, `r => (e => e.hidden ? "" : e.innerText)(r.querySelector(".tip"))`)
	}
	if !strings.HasPrefix(tip, "about ") || strings.HasSuffix(tip, " in a spot") != field {
		t.Errorf("%s: the tip says %q", page, tip)
	}
	p.Hover(5, float64(size.Height-5))
	p.Press("Escape")
	for _, top := range []int{0, 1200, 2000} {
		p.ScrollTo(top)
		o.wantHeat(t, p, page, exact, top, size, off)
	}
	asked := 0
	for _, request := range p.Requests() {
		if strings.Contains(request, "format=field") {
			asked++
		}
	}
	if field != (asked > 0) || asked > 4 {
		t.Errorf("%s: a field was asked for %d times, want that %t", page, asked, field)
	}
	silent(t, p)
	p.Close()
}

// wantHeat waits until the heat in sight is that of the exact picture, but for a share of the greatest.
func (o *owner) wantHeat(t *testing.T, p *browser.Page, page string, exact *image.Paletted, top int, size browser.Size, off float64) {
	t.Helper()
	wrong := 0
	var first string
	for end := time.Now().Add(5 * time.Second); ; {
		shot, scale := p.Screenshot("overlay-field"+strings.ReplaceAll(page, "/", "-")), max(size.Scale, 1)
		wrong = 0
		for y := 0; y < size.Height-110; y += 5 {
			for x := 0; x < size.Width; x += 5 {
				got := shot.At(int((float64(x)+0.5)*scale), int((float64(y)+0.5)*scale))
				if !mayBe(got, exact, x, y+top, off) {
					if wrong++; wrong == 1 {
						first = image.Pt(x, y+top).String()
					}
				}
			}
		}
		if wrong == 0 || time.Now().After(end) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if wrong > 0 {
		t.Errorf("%s scrolled to %d: %d places are not as the exact drawing, the first is %s", page, top, wrong, first)
	}
}

// mayBe reports whether a colour over white is one of the heat at a place, or of that with a difference.
func mayBe(got color.Color, exact *image.Paletted, x, y int, off float64) bool {
	share := math.Pow(float64(exact.ColorIndexAt(x, y))/255, 2)
	last := int(255 * math.Sqrt(min(share+off, 1)))
	for i := int(255 * math.Sqrt(max(share-off, 0))); i <= last; i++ {
		heat := color.NRGBAModel.Convert(exact.Palette[i]).(color.NRGBA)
		if nearly(got, blend(white, heat, overlayOpacity)) {
			return true
		}
	}
	return false
}
