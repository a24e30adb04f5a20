package browsertest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// filterLists are those that uBlock Origin has on for everyone, EasyList and EasyPrivacy among them.
var filterLists = []string{
	"ublock/filters.min.txt", "ublock/badware.min.txt", "ublock/privacy.min.txt", "ublock/quick-fixes.min.txt", "ublock/unbreak.min.txt",
	"thirdparties/easylist/easylist.txt", "thirdparties/easylist/easyprivacy.txt", "thirdparties/urlhaus-filter/urlhaus-filter-online.txt",
}

// filterRequest is a request of a page at From; Type is as extensions know it: script, xmlhttprequest (fetch too) or ping (sendBeacon).
type filterRequest struct {
	URL  string `json:"url"`
	From string `json:"from"`
	Type string `json:"type"`
}

// filterVerdict says what an ad blocker does with a request: none, blocked or allowed, and by which rule.
type filterVerdict struct{ Verdict, Rule string }

// judge asks uBlock Origin's own engine, with the lists that it comes with.
func judge(t *testing.T, requests []filterRequest) []filterVerdict {
	t.Helper()
	dir := ublockOrigin(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node on the PATH to run uBlock Origin's engine with; make test installs it with npm")
	}
	script := filepath.Join(t.TempDir(), "judge.mjs")
	r := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join("testdata", "filters", "judge.mjs")},
		Alias:       map[string]string{"ublock": dir},
		Outfile:     script, Write: true, Bundle: true, Platform: api.PlatformNode, Format: api.FormatESModule,
	})
	if len(r.Errors) > 0 {
		t.Fatalf("bundle the engine: %v", r.Errors)
	}
	question := map[string]any{"suffixes": filepath.Join(dir, "assets/thirdparties/publicsuffix.org/list/effective_tld_names.dat"), "requests": requests}
	var lists []string
	for _, list := range filterLists {
		lists = append(lists, filepath.Join(dir, "assets", list))
	}
	question["lists"] = lists
	in, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(node, script)
	run.Stdin, run.Stderr = bytes.NewReader(in), os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("judge requests: %v", err)
	}
	var answer struct {
		Filters int
		Answers []filterVerdict
	}
	if err := json.Unmarshal(out, &answer); err != nil || len(answer.Answers) != len(requests) {
		t.Fatalf("%d requests are answered with %.200s, %v", len(requests), out, err)
	}
	if answer.Filters < 100_000 {
		t.Fatalf("the lists have %d filters: the test shows nothing", answer.Filters)
	}
	t.Logf("judged by %d filters", answer.Filters)
	return answer.Answers
}

// ublockOrigin gives the folder of uBlock Origin: the one that .ci/deps unpacks, or an installed one.
func ublockOrigin(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{filepath.Join("..", "..", "..", "..", ".bin", "ublock-origin"), "/usr/share/chromium/extensions/ublock-origin"} {
		if dir, err := filepath.Abs(dir); err == nil {
			if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
				return dir
			}
		}
	}
	t.Skip("uBlock Origin and its lists are not in .bin/ublock-origin: .ci/deps fetches them where apt-get has Debian's webext-ublock-origin-chromium")
	return ""
}

// namesOf finds the names of scripts and routes that a script loads.
func namesOf(t *testing.T, name string) []string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "web", "static", name))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`\bv1/[a-z-]+|\bhl-[a-z]+\.js`).FindAllString(string(script), -1)
}

// TestFilterLists holds that ad blockers let pass what visitors' browsers and the overlay load: from a server on another site, on
// another host of the site, and from a path of the site itself. Beacons to other sites are blocked whatever they are called, so
// that the tracker sends hits with fetch.
func TestFilterLists(t *testing.T) {
	names := append([]string{"hl.js"}, append(namesOf(t, "hl.js"), namesOf(t, "hl-view.js")...)...)
	for _, known := range []string{"hl-view.js", "v1/in", "v1/elements", "v1/heatmap"} {
		if !slices.Contains(names, known) {
			t.Fatalf("the scripts load %q and not %s: the test shows nothing of it", names, known)
		}
	}
	const page = "https://shop.example/p/1?ref=a"
	servers := []string{"https://maps.vendor.example/", "https://maps.shop.example/", "https://shop.example/maps/", "https://shop.example/stats-free-path/"}
	var passes, beacons []filterRequest
	for _, server := range servers {
		for _, name := range names {
			kind, query := "xmlhttprequest", ""
			if strings.HasSuffix(name, ".js") {
				kind = "script"
			} else if name != "v1/in" {
				query = "?site=shop&url=https%3A%2F%2Fshop.example%2Fp%2F1&from=2026-01-01&to=2026-01-31&kind=click&limit=0"
			}
			passes = append(passes, filterRequest{server + name + query, page, kind})
		}
		beacons = append(beacons, filterRequest{server + "v1/in", page, "ping"})
	}
	blocked := []filterRequest{ // what this engine must know
		{"https://www.google-analytics.com/analytics.js", page, "script"},
		{"https://stats.vendor.example/piwik.js", page, "script"},
		{"https://shop.example/matomo/hl.js", page, "script"},
		{"https://static.hotjar.com/c/hotjar-1.js", page, "script"},
		{"https://www.clarity.ms/collect", page, "xmlhttprequest"},
		{"https://plausible.io/api/event", page, "xmlhttprequest"},
		{beacons[0].URL, page, "ping"},
	}
	verdicts := judge(t, slices.Concat(passes, blocked, beacons))
	for i, r := range passes {
		if v := verdicts[i]; v.Verdict == "blocked" {
			t.Errorf("%s %s is blocked by %s", r.Type, r.URL, v.Rule)
		}
	}
	for i, r := range blocked {
		if v := verdicts[len(passes)+i]; v.Verdict != "blocked" || v.Rule == "" {
			t.Errorf("%s %s is not blocked, but %s %s: the test shows nothing", r.Type, r.URL, v.Verdict, v.Rule)
		}
	}
	for i, r := range beacons {
		v := verdicts[len(passes)+len(blocked)+i]
		t.Logf("%s %s: %s %s", r.Type, r.URL, v.Verdict, v.Rule)
	}
}
