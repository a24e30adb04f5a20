package index

import (
	"strings"

	"heatlog/heatmap"
)

// Bots gives the published list of bots/1, in the order in which it is tried. A user agent is a bot if it contains one
// of the texts, whatever the case of its letters; a text that begins with ! is first taken out of the user agent, as
// "cubot" is a phone. Before comparing the user agent gets a space at either end, so " ruby" is a word's beginning.
func Bots() []string { return botList() }

// headlessBots are bots only if the rules say bots.headless.
func headlessBots() []string { return []string{"headlesschrome"} }

// agentClass is what is computed from a user agent.
type agentClass struct {
	device heatmap.Device
	bot    bool
}

// agents classifies user agents. It is safe for concurrent use.
type agents struct {
	innocent []string // taken out before bots are looked for
	bots     []string
}

func newAgents(lists ...[]string) *agents {
	a := new(agents)
	for _, list := range lists {
		for _, text := range list {
			if word, ok := strings.CutPrefix(text, "!"); ok {
				a.innocent = append(a.innocent, word)
			} else {
				a.bots = append(a.bots, text)
			}
		}
	}
	return a
}

// classify applies device/1 and bots/1.
func (a *agents) classify(userAgent string) agentClass {
	if userAgent == "" {
		return agentClass{device: heatmap.Desktop}
	}
	lower := strings.ToLower(userAgent)
	return agentClass{device: deviceOf(lower), bot: a.isBot(lower)}
}

func (a *agents) isBot(lower string) bool {
	for _, word := range a.innocent {
		lower = strings.ReplaceAll(lower, word, "")
	}
	if strings.TrimSpace(lower) == "" {
		return false
	}
	return containsAny(" "+lower+" ", a.bots...)
}

// deviceOf applies device/1 to a user agent in lower case. The first rule that fits decides: an iPad, a Kindle, a
// PlayBook, and Firefox that says "tablet" are tablets; a browser made for phones is on one; Android is on a tablet
// unless it says "mobile"; whatever else says "mobile" or names a phone is one; the rest are desktops, so an iPad that
// asks for desktop pages is one too.
func deviceOf(lower string) heatmap.Device {
	switch {
	case containsAny(lower, "ipad", "kindle", "playbook", "tablet; rv:"):
		return heatmap.Tablet
	case containsAny(lower, "opera mini", "opera mobi", "windows phone", "iemobile"):
		return heatmap.Mobile
	case strings.Contains(lower, "android"):
		if strings.Contains(lower, "mobile") {
			return heatmap.Mobile
		}
		return heatmap.Tablet
	case containsAny(lower, "mobile", "iphone", "ipod", "blackberry", "bb10", "symbian", "kaios", "midp", "nokia"):
		return heatmap.Mobile
	}
	return heatmap.Desktop
}

func containsAny(s string, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}
