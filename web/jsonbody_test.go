package web

import (
	"strings"
	"testing"
)

// TestBodyMistakes holds that what is wrong with a JSON body is told by its member, without a word of Go's.
func TestBodyMistakes(t *testing.T) {
	o := wholeOptions()
	o.Generations = newFakeGenerations()
	h := start(t, o)
	f := func(path, body, want string) {
		t.Helper()
		r := h.do("POST", path, strings.NewReader(body))
		h.refused(r, 400, "bad_request", "", want)
		for _, word := range []string{"json:", "Go ", "struct", "unmarshal", "invalid character"} {
			if strings.Contains(string(r.body), word) {
				t.Errorf("%s %s: %s", path, body, r.body)
			}
		}
	}
	const replays = "/v1/generations"
	f(replays, `{"rules":"","colour":1}`, `body has the unknown member "colour", known are activate, from, rules, sites, skip_damaged`)
	f(replays, `{"rules":"","`+strings.Repeat("c", 100)+`":1}`, `unknown member "`+strings.Repeat("c", 60)+`"…, known`)
	f(replays, `{"Rules":""}`, `body has the unknown member "Rules", known are activate`)
	f(replays, `{"rules":"","rules":""}`, `body has the member "rules" twice`)
	f(replays, `{"rules":7}`, `rules in body is a number, want a text`)
	f(replays, `{"rules":["a"]}`, `rules in body is a list, want a text`)
	f(replays, `{"rules":"","activate":"yes"}`, `activate in body is a text, want true or false`)
	f(replays, `{"rules":"","sites":"shop"}`, `sites in body is a text, want a list of texts`)
	f(replays, `{"rules":"","sites":["shop",{}]}`, `sites in body holds an object, want a list of texts`)
	f(replays, `{"rules":"","from":false}`, `from in body is true or false, want a text`)
	f(replays, `["rules"]`, `"activate":false}: it is a list`)
	f(replays, "", `"activate":false}: it is empty`)
	f(replays, `{"rules":`, `"activate":false}: it breaks off`)
	f(replays, `{"rules" 7}`, `"activate":false}: it is no JSON at byte 10`)
	f("/v1/sites", `{"key":"a","colour":1}`, `body has the unknown member "colour", known are key, origins, timezone`)
	f("/v1/sites", `{"key":"a","origins":[7]}`, `origins in body holds a number, want a list of texts`)
}
