package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// A clicked place of a page: the centre of a cell, so that the browser's rounding of touches does not matter.
type place struct{ X, Y, Clicks int }

// TestHeatIsWherePeopleClicked clicks at known places of every demo page, on a desktop and on a phone, and wants exactly
// these counts at these cells of the API, and in the overlay the colours of the server's own picture of them: it draws by
// elements, but nothing has moved.
func TestHeatIsWherePeopleClicked(t *testing.T) {
	server := heatlogtest.Start(t, t.TempDir())
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		for _, path := range []string{"/demo/", "/demo/shop", "/demo/product"} {
			t.Run(fmt.Sprintf("%s at %d px", path, size.Width), func(t *testing.T) {
				link := server.Base + path
				places := clickPlaces(t, link, size)
				query := url.Values{
					"site": {"demo"}, "url": {link}, "limit": {"0"},
					"vw": {fmt.Sprintf("%d-%d", size.Width/32*32, size.Width/32*32+31)},
				}
				wantCells(t, server, query, places)
				wantColours(t, server, query, link, size, places)
			})
		}
	}
}

// clickPlaces clicks at places between the links and fields of a page, three in each of four screens, and says where.
func clickPlaces(t *testing.T, link string, size browser.Size) []place {
	t.Helper()
	p := chrome.Open(t, size)
	p.Goto(link)
	var places []place
	end := browser.Eval[int](p, `document.documentElement.scrollHeight - innerHeight`)
	for screen := range 4 {
		top := end * screen / 4
		p.ScrollTo(top)
		top = browser.Eval[int](p, `Math.round(scrollY)`)
		for _, at := range freePlaces(p, top) {
			clicks := 1 + len(places)%4
			for range clicks {
				p.Point(float64(at[0]), float64(at[1]-top))
			}
			places = append(places, place{at[0], at[1], clicks})
		}
	}
	if got := browser.Eval[string](p, `location.href`); got != link {
		t.Fatalf("the clicks led to %s", got)
	}
	if c := p.Console(); len(c) > 0 {
		t.Errorf("console of %s: %q", link, c)
	}
	return places // the tab stays open until the test ends: on a busy machine one that closes may break off what it sends last
}

// freePlaces finds three places of the screen, in px of the page, where a click leads nowhere, at least 120 px apart. A
// touch goes to what it may have been meant for some px around.
func freePlaces(p *browser.Page, top int) [][2]int {
	return browser.Eval[[][2]int](p, fmt.Sprintf(`(() => {
		const found = [], top = %d
		for (let y = 160; y < innerHeight - 60 && found.length < 3; y += 40) for (let x = 36; x < innerWidth - 36 && found.length < 3; x += 56) {
			const at = [x - x %% 8 + 4, (y + top) - (y + top) %% 8 + 4]
			const clear = [[0, 0], [-20, -20], [20, 20], [-20, 20], [20, -20]].every(([dx, dy]) => {
				const e = document.elementFromPoint(at[0] + dx, at[1] - top + dy)
				return e && !e.closest("a, button, input, select, textarea, label, summary, [role], form, header, [tabindex]")
			})
			if (clear && found.every(f => Math.hypot(f[0] - at[0], f[1] - at[1]) > 120)) found.push(at)
		}
		return found
	})()`, top))
}

// wantCells waits until the API counts the clicks, and compares every cell.
func wantCells(t *testing.T, server *heatlogtest.Server, query url.Values, places []place) {
	t.Helper()
	total, want := 0, map[[2]int]int{}
	for _, p := range places {
		total += p.Clicks
		want[[2]int{p.X / 8 * 8, p.Y / 8 * 8}] += p.Clicks
	}
	if len(places) < 9 {
		t.Fatalf("clicked at %d places, want at least 9", len(places))
	}
	var answer struct {
		Hits   int
		Points [][3]int
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		status, body := server.Request(http.MethodGet, "/v1/heatmap", query, nil, nil)
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Hits >= total || time.Now().After(end) {
			break
		}
	}
	got := map[[2]int]int{}
	for _, p := range answer.Points {
		got[[2]int{p[0], p[1]}] += p[2]
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("cells (-clicked +counted):\n%s", d)
	}
}

// wantColours opens the overlay by a link and compares what it shows with the page without it, below the server's picture
// of the same points.
func wantColours(t *testing.T, server *heatlogtest.Server, query url.Values, link string, size browser.Size, places []place) {
	t.Helper()
	bare, overlaid := chrome.Open(t, size), chrome.Open(t, size)
	bare.Goto(link)
	height := browser.Eval[int](bare, `document.documentElement.scrollHeight`)
	heat := serverPicture(t, server, query, size.Width, height)
	overlaid.Goto(overlayLink(t, server, "demo", link))
	for i := 0; i+3 <= len(places); i += 3 {
		top := max(places[i].Y-size.Height/4, 0)
		bare.ScrollTo(top)
		overlaid.ScrollTo(top)
		top = browser.Eval[int](bare, `Math.round(scrollY)`)
		spots := spotsOf(places[i:i+3], size, top)
		name := fmt.Sprintf("heat-%d-%d", size.Width, i)
		without := bare.Screenshot(name + "-bare")
		var worst string
		for end := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			if worst = worstColour(without, overlaid.Screenshot(name), heat, spots, top); worst == "" || time.Now().After(end) {
				break
			}
		}
		if worst != "" {
			t.Errorf("scrolled to %d: %s", top, worst)
		}
	}
	bare.Close()
	overlaid.Close()
}

// spotsOf are the viewport places to look at: the clicked ones that the panel does not cover, and places near them without heat.
func spotsOf(places []place, size browser.Size, top int) []image.Point {
	var spots []image.Point
	for _, p := range places {
		for _, d := range []image.Point{{0, 0}, {6, 0}, {0, 10}, {-14, 4}, {0, -40}, {30, 30}} {
			if at := image.Pt(p.X+d.X, p.Y-top+d.Y); at.In(image.Rect(4, 4, size.Width-4, size.Height/2)) {
				spots = append(spots, at)
			}
		}
	}
	return spots
}

// worstColour compares each spot of the overlay with what lies below it and the colours that the heat has over that within
// reach px; "" if all are as they should be.
func worstColour(without, with, heat image.Image, spots []image.Point, top int) string {
	const tolerance = 14 // of 255: the overlay draws on a lattice, and a browser blends in bytes
	const reach = 2      // px: the clicked places are centres of the page's cells, but not of those inside elements, of 4 px
	for _, s := range spots {
		below := color.NRGBAModel.Convert(without.At(s.X, s.Y)).(color.NRGBA)
		got := color.NRGBAModel.Convert(with.At(s.X, s.Y)).(color.NRGBA)
		least, most := color.NRGBA{255, 255, 255, 255}, color.NRGBA{}
		for y := -reach; y <= reach; y++ {
			for x := -reach; x <= reach; x++ {
				over := color.NRGBA{}
				if at := image.Pt(s.X+x, s.Y+y+top); at.In(heat.Bounds()) {
					over = color.NRGBAModel.Convert(heat.At(at.X, at.Y)).(color.NRGBA)
				}
				c := blend(below, over, overlayOpacity)
				least = color.NRGBA{min(least.R, c.R), min(least.G, c.G), min(least.B, c.B), 255}
				most = color.NRGBA{max(most.R, c.R), max(most.G, c.G), max(most.B, c.B), 255}
			}
		}
		for _, c := range [][3]uint8{{least.R, got.R, most.R}, {least.G, got.G, most.G}, {least.B, got.B, most.B}} {
			if int(c[1]) < int(c[0])-tolerance || int(c[1]) > int(c[2])+tolerance {
				return fmt.Sprintf("at (%d, %d) of the screen the overlay is %v, want from %v to %v: over %v", s.X, s.Y, got, least, most, below)
			}
		}
	}
	return ""
}

// overlayOpacity is what the overlay begins with.
const overlayOpacity = 0.85

func blend(below, over color.NRGBA, opacity float64) color.NRGBA {
	a := float64(over.A) / 255 * opacity
	mix := func(b, o uint8) uint8 { return uint8(math.Round(float64(b)*(1-a) + float64(o)*a)) }
	return color.NRGBA{mix(below.R, over.R), mix(below.G, over.G), mix(below.B, over.B), 255}
}

// serverPicture is the PNG that the API draws of the page.
func serverPicture(t *testing.T, server *heatlogtest.Server, query url.Values, width, height int) image.Image {
	t.Helper()
	q := url.Values{"format": {"png"}, "width": {strconv.Itoa(width)}, "height": {strconv.Itoa(height)}}
	maps.Copy(q, query)
	status, body := server.Request(http.MethodGet, "/v1/heatmap", q, nil, nil)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	picture, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// overlayLink asks for a link that opens the overlay.
func overlayLink(t *testing.T, server *heatlogtest.Server, site, page string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"site": site, "url": page})
	status, answer := server.Request(http.MethodPost, "/v1/overlay-links", nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	var link struct{ Link string }
	if err := json.Unmarshal(answer, &link); err != nil || status != http.StatusCreated {
		t.Fatalf("status %d: %s", status, answer)
	}
	return link.Link
}

// TestReadmePicture opens the map of six thousand made visitors on the landing page, as the README shows it: of one
// width, where everything is where it was clicked. With -rewrite it writes that picture.
func TestReadmePicture(t *testing.T) {
	server := heatlogtest.Start(t, t.TempDir())
	send := exec.Command(heatlogtest.Binary, "demo", "--seed", "7", "--visitors", "6000", "--url", server.Base, "--data", server.Data)
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	page := server.Base + "/demo/"
	p := chrome.Open(t, browser.Desktop)
	p.Goto(overlayLink(t, server, "demo", page))
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	pick(p, "Width of the windows", "this")
	_, answer := server.Request(http.MethodGet, "/v1/heatmap", url.Values{"site": {"demo"}, "url": {page}, "vw": {"1280-1311"}}, nil, nil)
	var heat struct{ Hits int }
	if err := json.Unmarshal(answer, &heat); err != nil || heat.Hits < 1000 {
		t.Fatalf("only %d clicks: %.500s", heat.Hits, answer)
	}
	panelSays(t, p, fmt.Sprintf("%d,%03d", heat.Hits/1000, heat.Hits%1000), "in a spot") // which is said of what is drawn
	shot := p.Screenshot("readme")
	if !*rewriteBoxes {
		return
	}
	f, err := os.Create(filepath.Join("..", "..", "..", "..", ".readme", "overlay.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, shot); err != nil {
		t.Fatal(err)
	}
}
