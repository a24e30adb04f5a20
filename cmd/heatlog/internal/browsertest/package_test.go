package browsertest

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"

	"heatlog/cmd/heatlog/internal/browser"
)

// installPackage makes the npm package of web/package as npm pack does, and gives a folder in which it is installed.
func installPackage(t *testing.T) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("HEATLOG_TEST_BROWSER") != "" {
			t.Fatal("there is no npm on the PATH; make test installs it")
		}
		t.Skip("there is no npm on the PATH; make test installs it")
	}
	dir = t.TempDir()
	pack := exec.Command("npm", "pack", "--silent", "--json", "--pack-destination", dir)
	pack.Dir = filepath.Join("..", "..", "..", "..", "web", "package")
	out, err := pack.Output()
	if err != nil {
		t.Fatalf("npm pack: %v", err)
	}
	var packed []struct {
		Filename string
		Files    []struct{ Path string }
	}
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 {
		t.Fatalf("npm pack says %s, %v", out, err)
	}
	var files []string
	for _, f := range packed[0].Files {
		files = append(files, f.Path)
	}
	slices.Sort(files)
	if d := cmp.Diff([]string{"README.md", "index.d.ts", "index.js", "package.json"}, files); d != "" {
		t.Errorf("files of the package (-want +got):\n%s", d)
	}
	unpack(t, filepath.Join(dir, packed[0].Filename), filepath.Join(dir, "node_modules", "heatlog-tag"))
	return dir
}

// unpack unpacks what npm packed, whose files are in a folder package.
func unpack(t *testing.T, name, into string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		head, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(into, filepath.Base(head.Name)), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// bundled makes a script of a module that imports the package, for browsers of 2017.
func bundled(t *testing.T, dir, module string) string {
	t.Helper()
	r := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: module, ResolveDir: dir, Loader: api.LoaderTS},
		Bundle: true, Format: api.FormatIIFE, Target: api.ES2017, MinifySyntax: true, MinifyWhitespace: true, Charset: api.CharsetASCII,
	})
	if len(r.Errors) > 0 {
		t.Fatalf("bundle: %v", r.Errors)
	}
	return strings.ReplaceAll(string(r.OutputFiles[0].Contents), "</script", `<\/script`)
}

const bundledHead = `<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><link rel=icon href="data:,"><title>Shop</title>`

// TestPackage bundles the package as a site does: the tag is added once, with what it was given, and hits come.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := installPackage(t)
	script := bundled(t, dir, `
		import { install } from "heatlog-tag";
		const options = { src: location.origin + "/hl.js", site: "shop", tags: ["variant:b", "a b"], check: false };
		install(options);
		install(options).consent(true);
		install({ ...options, tags: [] }).consent(true);`)
	body := `<body><main id=shop><button style="width:200px;height:80px">Buy</button></main>`
	h := newHost(t, map[string]string{
		"/in-head":   bundledHead + "<script>" + script + "</script>" + body,
		"/in-body":   bundledHead + body + "<script>" + script + "</script>",
		"/with-html": bundledHead + `<script defer src="/hl.js" data-site="shop" data-tags="variant:b,a b" data-check="off"></script>` + body + "<script>" + script + "</script>",
	})
	for i, path := range []string{"/in-head", "/in-body", "/with-html"} {
		p := h.open(browser.Desktop, path)
		h.awaitHits("view", i+1) // it runs
		p.Point(20, 20)
		hits := h.awaitHits("click", i+1)
		if got := hits[i]; got["url"] != path || got["sel"] != "#shop>button" || got["check"] != nil {
			t.Errorf("%s: click %v", path, got)
		}
		if n := browser.Eval[int](p, `document.querySelectorAll("script[data-site]").length`); n != 1 {
			t.Errorf("%s: the tag is there %d times", path, n)
		}
		h.quiet(p)
		p.Close()
	}
	for _, b := range h.batches() {
		if !slices.Equal(b.Tags, []string{"variant:b", "a b"}) || b.Site != "shop" {
			t.Errorf("batch of site %s has tags %q", b.Site, b.Tags)
		}
	}
}

// TestPackageAttributes adds tags with every option, under a strict policy, and lets a script with that integrity run.
func TestPackageAttributes(t *testing.T) {
	t.Parallel()
	const loaded = `window.runs = (window.runs || 0) + 1`
	sum := sha512.Sum384([]byte(loaded))
	integrity := "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
	dir := installPackage(t)
	page := func(options string) string {
		return bundledHead + `<script nonce=r4nd0m>` + bundled(t, dir, `import { install } from "heatlog-tag"; install({ site: "shop", nonce: "r4nd0m", `+options+` });`) + `</script><body>`
	}
	h := newHost(t, map[string]string{
		"/loaded.js": loaded,
		"/all": page(fmt.Sprintf(`src: location.origin + "/loaded.js", tags: ["a"], check: false, sample: 0.25, consent: "required", respect: ["gpc", "dnt"],
			store: false, integrity: %q`, integrity)),
		"/none":    page(`src: "/loaded.js", tags: [], check: true, sample: 1, respect: [], store: true`),
		"/tiny":    page(`src: "./loaded.js", sample: 0.0000012`),
		"/trusted": page(`src: trustedTypes.createPolicy("shop", { createScriptURL: (u) => u }).createScriptURL("/loaded.js")`),
	})
	h.header = map[string]string{
		"/all": "script-src 'nonce-r4nd0m'", "/none": "script-src 'nonce-r4nd0m'", "/tiny": "script-src 'nonce-r4nd0m'",
		"/trusted": "script-src 'nonce-r4nd0m'; require-trusted-types-for 'script'; trusted-types shop",
	}
	f := func(path string, want map[string]string) {
		t.Helper()
		p := h.open(browser.Desktop, path)
		browser.Eval[bool](p, `new Promise((done) => { const wait = () => window.runs ? done(true) : setTimeout(wait, 10); wait(); })`)
		got := browser.Eval[map[string]string](p, `Object.fromEntries([...document.querySelector("script[data-site]").attributes].map((a) => [a.name, a.value]))`)
		want["data-site"], want["async"] = "shop", "" // the nonce is no attribute, where a style sheet could read it
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: attributes (-want +got):\n%s", path, d)
		}
		if c := p.Console(); len(c) > 0 {
			t.Errorf("%s: console: %q", path, c)
		}
		p.Close()
	}
	f("/all", map[string]string{
		"src": h.URL + "/loaded.js", "integrity": integrity, "crossorigin": "anonymous", "data-tags": "a", "data-check": "off", "data-sample": "0.25",
		"data-consent": "required", "data-respect": "gpc dnt", "data-store": "off",
	})
	f("/none", map[string]string{"src": "/loaded.js"})
	f("/tiny", map[string]string{"src": "./loaded.js", "data-sample": "0.000001"})
	f("/trusted", map[string]string{"src": "/loaded.js"})
}

// TestPackageConsent: consent that is given before the script has loaded waits where the script looks for it, the last one; after that
// the script is told.
func TestPackageConsent(t *testing.T) {
	t.Parallel()
	dir := installPackage(t)
	script := bundled(t, dir, `
		import { install } from "heatlog-tag";
		const tag = install({ src: "/waiting.js", site: "shop", consent: "required" });
		if (location.search) {
			tag.consent(location.search === "?false");
			tag.consent(location.search === "?true");
		}
		(window as any).tag = tag;`)
	h := newHost(t, map[string]string{
		"/waiting.js": `window.told = [window.heatlog && heatlog.consent]; window.heatlog = {consent: (on) => told.push(on)}`,
		"/p":          bundledHead + "<body><script>" + script + "</script>",
		"/named":      bundledHead + "<body><form id=heatlog></form><script>" + script + "</script>",
	})
	f := func(path, want string) {
		t.Helper()
		p := h.open(browser.Desktop, path)
		got := browser.Eval[string](p, `new Promise((done) => { const wait = () => window.told ? (tag.consent(true), tag.consent(0), done(JSON.stringify(told))) : setTimeout(wait, 10); wait(); })`)
		if got != want {
			t.Errorf("%s: the script is told %s, want %s", path, got, want)
		}
		h.quiet(p)
		p.Close()
	}
	f("/p", `[null,true,false]`)
	f("/p?true", `[true,true,false]`)
	f("/p?false", `[false,true,false]`)
	f("/named?true", `[true,true,false]`)
}

// TestPackageWithoutPage calls the package where there is no document, with right options and with wrong ones.
func TestPackageWithoutPage(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node on the PATH; make test installs it with npm")
	}
	dir := installPackage(t)
	run := exec.Command(node, "--input-type=module", "--eval", `
		import { install } from "heatlog-tag";
		const right = { src: "https://maps.shop.example/hl.js", site: "shop" }, say = [];
		install(right).consent(true);
		say.push(Object.keys(install({ ...right, tags: ["é".repeat(32)], sample: 0.999999, respect: ["dnt"] })).join());
		for (const wrong of [{ src: "" }, { src: "maps.shop.example/hl.js" }, { src: undefined }, { site: "Shop" }, { site: undefined }, { tags: ["a,b"] }, { tags: [" "] },
			{ tags: "a" }, { tags: ["é".repeat(33)] }, { tags: Array(17).fill("a") }, { sample: 0 }, { sample: 1.5 }, { sample: 1e-7 }, { sample: "half" },
			{ consent: true }, { respect: ["ccpa"] }, { respect: "gpc" }]) {
			try {
				install({ ...right, ...wrong });
				say.push("taken: " + JSON.stringify(wrong));
			} catch (e) {
				say.push(e.name + ": " + e.message);
			}
		}
		console.log(JSON.stringify(say));`)
	run.Dir = dir
	out, err := run.CombinedOutput()
	var said []string
	if err != nil || json.Unmarshal(out, &said) != nil {
		t.Fatalf("node says %s, %v", out, err)
	}
	want := []string{"src", "src", "src", "site", "site", "tags", "tags", "tags", "tags", "tags", "sample", "sample", "sample", "sample", "consent", "respect", "respect"}
	if len(said) != len(want)+1 || said[0] != "consent" {
		t.Fatalf("said %q", said)
	}
	for i, name := range want {
		if !strings.HasPrefix(said[i+1], "TypeError: heatlog-tag: "+name+" is ") || !strings.Contains(said[i+1], ", want ") {
			t.Errorf("wrong option %d: %s", i, said[i+1])
		}
	}
}

// TestPackageWithTracker: with consent required the tracker records nothing until consent is given, before it has loaded or after; hits
// of a sample say so.
func TestPackageWithTracker(t *testing.T) {
	t.Parallel()
	dir := installPackage(t)
	script := bundled(t, dir, `
		import { install } from "heatlog-tag";
		const tag = install({ src: "/hl.js", site: "shop", consent: "required", sample: 0.999999 });
		if (location.search) tag.consent(true);
		(window as any).tag = tag;`)
	h := newHost(t, map[string]string{"/p": bundledHead + "<body><button style='width:200px;height:90px'>a</button><script>" + script + "</script>"})
	p := h.open(browser.Desktop, "/p")
	p.Point(20, 20)
	pass(p, 2500)
	if n := len(h.batches()); n > 0 {
		t.Errorf("%d batches without consent", n)
	}
	browser.Eval[bool](p, `tag.consent(true), true`)
	h.awaitHits("view", 1)
	p.Point(20, 20)
	h.awaitHits("click", 1)
	h.quiet(p)
	p.Close()
	h.open(browser.Desktop, "/p?early")
	h.awaitHits("view", 2)
	for _, b := range h.batches() {
		if !slices.Equal(b.Tags, []string{"sampled:0.999999"}) {
			t.Errorf("batch has tags %q", b.Tags)
		}
	}
}
