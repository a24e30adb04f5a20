package demo

import "heatlog/heatmap"

// device is what a visitor uses: a viewport with the user agents that have it.
type device struct {
	share   int // of 100 visitors
	w, h    int // viewport, px
	pointer heatmap.Pointer
	agents  []string
}

const (
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	ipad    = "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1"
	android = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36"
	samsung = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36"
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36"
	edge    = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0"
	mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
	linux   = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

var devices = []device{
	{25, 390, 664, heatmap.PointerTouch, []string{iphone}},
	{14, 360, 668, heatmap.PointerTouch, []string{samsung, android}},
	{16, 412, 785, heatmap.PointerTouch, []string{android, android, samsung}},
	{3, 768, 954, heatmap.PointerTouch, []string{ipad}},
	{2, 820, 1106, heatmap.PointerTouch, []string{ipad}},
	{20, 1280, 720, heatmap.PointerMouse, []string{windows, edge, linux}},
	{6, 1440, 789, heatmap.PointerMouse, []string{mac}},
	{6, 1536, 730, heatmap.PointerMouse, []string{windows, edge}},
	{8, 1920, 947, heatmap.PointerMouse, []string{windows, windows, firefox, linux}},
}

// hours are the shares of visits that begin in each hour of the day, in thousandths of the greatest.
var hours = [24]int{
	306, 224, 176, 153, 147, 176, 282, 424, 547, 635, 700, 735, 741, 729, 724, 729, 741, 759, 794, 871, 965, 1000, 882, 676,
}

// newDevice draws what a visitor uses.
func newDevice(r *random) (d *device, agent string) {
	at := r.below(100)
	for i := range devices {
		d = &devices[i]
		if at -= d.share; at < 0 {
			break
		}
	}
	return d, d.agents[r.below(len(d.agents))]
}
