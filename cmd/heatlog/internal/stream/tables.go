package stream

import "heatlog/heatmap"

// screen is a viewport as browsers report it, with its share.
type screen struct {
	w, h, weight uint16
}

// The shares of the viewports, each list by itself. One desktop in seven has a window of its own size besides.
var (
	phones = []screen{
		{360, 640, 14}, {360, 668, 9}, {390, 664, 17}, {393, 659, 10}, {393, 852, 4}, {412, 732, 9}, {412, 785, 11},
		{414, 715, 6}, {375, 553, 5}, {375, 635, 6}, {430, 739, 6}, {428, 746, 3}, {320, 454, 1}, {384, 700, 2},
	}
	tablets = []screen{{768, 954, 7}, {810, 1010, 6}, {820, 1106, 5}, {834, 1120, 2}, {1024, 698, 4}, {800, 1220, 3}, {1180, 750, 2}}
	desks   = []screen{
		{1920, 947, 23}, {1536, 730, 14}, {1366, 641, 12}, {1440, 789, 8}, {1280, 593, 7}, {2560, 1297, 7}, {1680, 939, 4},
		{1600, 757, 5}, {1707, 825, 4}, {1903, 969, 5}, {1263, 568, 3}, {1512, 857, 4}, {1728, 992, 3}, {3440, 1297, 1},
	}
)

var (
	phoneAgents = []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/143.0.7499.38 Mobile/15E148 Safari/604.1",
	}
	tabletAgents = []string{
		"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 14; SM-X210) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPad; CPU OS 16_7_10 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
	}
	deskAgents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
	}
	botAgents = []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/136.0.0.0 Safari/537.36",
		"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
		"Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
	}
)

// hours are the shares of sessions that begin in each hour of the day, in thousandths of the mean.
var hours = [24]uint64{
	520, 380, 300, 260, 250, 300, 480, 720, 930, 1080, 1190, 1250, 1260, 1240, 1230, 1240, 1260, 1290, 1350, 1480, 1640, 1700, 1500, 1150,
}

// selectors are the elements that hot spots are made of; a page has each at most once.
var selectors = []string{
	"header>a.logo", "header>nav>a:nth-of-type(1)", "header>nav>a:nth-of-type(2)", "main>a.buy", "main>section.hero>a.cta", "#add-to-cart", "#search>button",
	"#search>input", "main>div.gallery>button.next", "main>div.gallery>button.prev", "main>div.gallery>img", "main>ul.list>li:nth-of-type(1)>a",
	"main>ul.list>li:nth-of-type(2)>a", "main>ul.list>li:nth-of-type(3)>a", "main>ul.list>li:nth-of-type(4)>a", "main>ul.list>li:nth-of-type(5)>a",
	"main>ul.list>li:nth-of-type(6)>a", "main>ul.list>li:nth-of-type(7)>a", "main>ul.list>li:nth-of-type(8)>a", "main>div.tabs>button:nth-of-type(1)",
	"main>div.tabs>button:nth-of-type(2)", "main>div.tabs>button:nth-of-type(3)", "#size", "#colour", "#quantity", "main>form>button.submit", "main>form>label:nth-of-type(1)",
	"main>form>label:nth-of-type(2)", "main>form>label:nth-of-type(3)", "#newsletter>input", "#newsletter>button", "aside>a:nth-of-type(1)", "aside>a:nth-of-type(2)",
	"aside>a:nth-of-type(3)", "main>details:nth-of-type(1)>summary", "main>details:nth-of-type(2)>summary", "main>details:nth-of-type(3)>summary", "main>p>a",
	"main>article>a.more", "main>video", "#reviews>button.more", "#reviews>div.stars", "footer>a:nth-of-type(1)", "footer>a:nth-of-type(2)", "footer>a:nth-of-type(3)",
	"footer>a:nth-of-type(4)", "main>nav.pages>a.next", "main>nav.pages>a:nth-of-type(2)", "#cookie>button.yes", "#cookie>button.no",
}

// device is what one visitor uses.
type device struct {
	w, h    uint16
	kind    heatmap.Device
	pointer heatmap.Pointer
	agent   string
	bot     bool
}

// deviceOf gives the device of a visitor; r is seeded with who that is.
func deviceOf(r *random) device {
	var d device
	switch n := r.below(1000); {
	case n < 550:
		d = device{kind: heatmap.Mobile, pointer: heatmap.PointerTouch, agent: one(r, phoneAgents)}
		d.w, d.h = oneScreen(r, phones)
	case n < 590:
		d = device{kind: heatmap.Tablet, pointer: heatmap.PointerTouch, agent: one(r, tabletAgents)}
		d.w, d.h = oneScreen(r, tablets)
	default:
		d = device{kind: heatmap.Desktop, pointer: heatmap.PointerMouse, agent: one(r, deskAgents)}
		if d.w, d.h = oneScreen(r, desks); r.oneIn(7) {
			d.w, d.h = uint16(r.between(700, 1900)), uint16(r.between(450, 1000))
		}
	}
	if d.bot = r.below(100) < 3; d.bot {
		d.agent = one(r, botAgents)
	}
	return d
}

// one draws from a list whose first entries are the most common.
func one(r *random, list []string) string { return list[min(r.below(len(list)), r.below(len(list)))] }

func oneScreen(r *random, list []screen) (w, h uint16) {
	total := 0
	for _, s := range list {
		total += int(s.weight)
	}
	at := r.below(total)
	for _, s := range list {
		if at -= int(s.weight); at < 0 {
			return s.w, s.h
		}
	}
	return list[0].w, list[0].h
}
