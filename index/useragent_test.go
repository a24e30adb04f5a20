package index

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func linesOf(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestBrowsers(t *testing.T) {
	a := DefaultRules().agents
	lines := linesOf(t, "testdata/browsers.txt")
	for _, line := range lines {
		name, userAgent, _ := strings.Cut(line, "\t")
		want, ok := heatmap.ParseDevice(name)
		if !ok {
			t.Fatalf("no device in %q", line)
		}
		if diff := cmp.Diff(agentClass{device: want}, a.classify(userAgent), cmp.AllowUnexported(agentClass{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", userAgent, diff)
		}
	}
	if len(lines) < 40 {
		t.Errorf("%d browsers, want 40", len(lines))
	}
}

func TestBots(t *testing.T) {
	a := DefaultRules().agents
	lines := linesOf(t, "testdata/bots.txt")
	for _, line := range lines {
		if !a.classify(line).bot || !a.classify(strings.ToUpper(line)).bot {
			t.Errorf("%s is no bot", line)
		}
	}
	if len(lines) < 60 {
		t.Errorf("%d bots, want 60", len(lines))
	}
}

func TestClassify(t *testing.T) {
	f := func(rules, userAgent string, want agentClass) {
		t.Helper()
		if got := mustParseRules(t, rules).agents.classify(userAgent); got != want {
			t.Errorf("%s: %q is %+v, want %+v", rules, userAgent, got, want)
		}
	}
	const headless = "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/131.0.0.0 Safari/537.36"
	f("", "", agentClass{})
	f("", " ", agentClass{})
	f("", "cubot", agentClass{})
	f("", headless, agentClass{})
	f("bots: {headless: false}", headless, agentClass{})
	f("bots: {headless: true}", headless, agentClass{bot: true})
	f("bots: {headless: true}", "", agentClass{})
	f("bots: {patterns: [OurTest]}", "Mozilla/5.0 ourtest/1", agentClass{bot: true})
	f("bots: {patterns: [OurTest]}", headless, agentClass{})
	f("bots: {patterns: ['!curl/8']}", "curl/8.9.1", agentClass{})
	f("bots: {patterns: ['!curl/8']}", "curl/7", agentClass{bot: true})
}

// TestBotsName holds that bots/1 never changes: another list needs another name.
func TestBotsName(t *testing.T) {
	const want = 0xb5a059c595a4f07b
	if got := xxhash.Sum64String(strings.Join(Bots(), "\n")); got != want {
		t.Errorf("the list of bots has the digest %#x, want %#x", got, uint64(want))
	}
}

func TestBotsListIsPlain(t *testing.T) {
	list := Bots()
	for _, text := range list {
		if text != strings.ToLower(text) || strings.Trim(text, "! ") == "" {
			t.Errorf("%q is not in lower case, or empty", text)
		}
	}
	slices.Sort(list)
	if n := len(list); len(slices.Compact(list)) != n {
		t.Error("the list of bots has a text twice")
	}
}

func BenchmarkClassify(b *testing.B) {
	a := DefaultRules().agents
	userAgent, _, _ := strings.Cut(linesOf(b, "testdata/browsers.txt")[0], "\n")
	b.ReportAllocs()
	for b.Loop() {
		a.classify(userAgent)
	}
}
