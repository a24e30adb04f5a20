package collector

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func openTestSites(t *testing.T, path string) *Sites {
	t.Helper()
	s, err := OpenSites(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSitesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.json")
	s := openTestSites(t, path)
	if list := s.List(); len(list) != 0 {
		t.Errorf("a new register has %v", list)
	}
	for _, site := range []heatmap.Site{
		{Key: "shop", Origins: []string{"HTTPS://Shop.Example:443/", "https://shop.example", "http://[::1]:80", "http://localhost:8080"}, Timezone: "Europe/Prague"},
		{Key: "a-1"},
	} {
		if err := s.Put(site); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.MarkUsed("shop"); err != nil {
		t.Fatal(err)
	}
	want := []heatmap.Site{
		{Key: "a-1", Origins: []string{}, Timezone: "UTC"},
		{Key: "shop", Origins: []string{"https://shop.example", "http://[::1]", "http://localhost:8080"}, Timezone: "Europe/Prague"},
	}
	for _, s := range []*Sites{s, openTestSites(t, path)} {
		if diff := cmp.Diff(want, s.List()); diff != "" {
			t.Error(diff)
		}
		if site, ok := s.Lookup("shop"); !ok || site.Timezone != "Europe/Prague" {
			t.Error(site, ok)
		}
		if _, ok := s.Lookup("nobody"); ok {
			t.Error("an unknown site was found")
		}
		if s.Zone("shop").String() != "Europe/Prague" || s.Zone("nobody") != time.UTC {
			t.Error(s.Zone("shop"), s.Zone("nobody"))
		}
		if !s.find([]byte("shop")).used.Load() || s.find([]byte("a-1")).used.Load() {
			t.Error("the marks of use are wrong")
		}
		if !s.knowsOrigin([]byte("http://localhost:8080")) || s.knowsOrigin([]byte("http://localhost")) || s.knowsOrigin(nil) {
			t.Error("origins are wrong")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

func TestSitesRefuse(t *testing.T) {
	s := testSites(t)
	before := s.List()
	f := func(site heatmap.Site, code, field, message string) {
		t.Helper()
		var e *SiteError
		if err := s.Put(site); !errors.As(err, &e) || e.Code != code || e.Field != field || e.Message != message {
			t.Errorf("%+v: %v, want %s", site, err, message)
		}
	}
	for _, key := range []string{"", "Shop", "a_b", "a b", strings.Repeat("a", 33), "š"} {
		f(heatmap.Site{Key: key}, "bad_key", "key", fmt.Sprintf("key is %q, want 1 to 32 of a-z, 0-9 and -", key))
	}
	for _, zone := range []string{"Local", "Mars/Phobos", "../etc/passwd", "CEST+2"} {
		f(heatmap.Site{Key: "x", Timezone: zone}, "bad_timezone", "timezone", fmt.Sprintf("timezone is %q, want an IANA name such as Europe/Prague", zone))
	}
	origin := func(o, why string) {
		t.Helper()
		f(heatmap.Site{Key: "x", Origins: []string{o}}, "bad_origin", "origins", fmt.Sprintf("origin is %q, %s", o, why))
	}
	for _, o := range []string{"", "shop.example", "ftp://shop.example", "https://", "null", "*", "//shop.example", "https://a b"} {
		origin(o, "want scheme://host or scheme://host:port with http or https")
	}
	for _, o := range []string{"https://shop.example/p", "https://u@shop.example", "https://shop.example?x", "https://shop.example#x"} {
		origin(o, "want no more than scheme, host and port")
	}
	origin("https://*.example", "want a host of letters, digits, dashes and dots; other scripts in their xn-- form")
	origin("https://š.example", "want a host of letters, digits, dashes and dots; other scripts in their xn-- form")
	origin("https://shop.example:0", "want a port of 1 to 65535")
	origin("https://shop.example:65536", "want a port of 1 to 65535")
	if diff := cmp.Diff(before, s.List()); diff != "" {
		t.Error(diff)
	}
}

func TestSitesFixTheZone(t *testing.T) {
	s := testSites(t)
	put := func(site heatmap.Site) error { return s.Put(site) }
	if err := put(heatmap.Site{Key: "shop", Origins: []string{"https://b.example"}, Timezone: "Asia/Tokyo"}); err != nil {
		t.Fatal(err) // it has no hits yet
	}
	for range 2 {
		if err := s.MarkUsed("shop"); err != nil {
			t.Fatal(err)
		}
	}
	var e *SiteError
	if err := put(heatmap.Site{Key: "shop", Timezone: "Europe/Prague"}); !errors.As(err, &e) || e.Code != CodeZoneFixed || e.Field != "timezone" ||
		!strings.Contains(e.Message, "Asia/Tokyo") || !strings.Contains(e.Message, "Europe/Prague") {
		t.Error(err)
	}
	if err := put(heatmap.Site{Key: "shop", Origins: []string{"https://c.example"}}); err != nil {
		t.Error(err)
	}
	want := heatmap.Site{Key: "shop", Origins: []string{"https://c.example"}, Timezone: "Asia/Tokyo"}
	if site, _ := s.Lookup("shop"); !cmp.Equal(want, site) {
		t.Error(site)
	}
	if s.knowsOrigin([]byte("https://b.example")) {
		t.Error("an origin that was replaced is still known")
	}
	if err := put(heatmap.Site{Key: "shop", Timezone: "Europe/Prague"}); !errors.As(err, &e) {
		t.Error("the mark of use was lost", err)
	}
}

func TestSitesCorruptFile(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "sites.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSites(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("%q became %q, %v", content, b, err)
		}
	}
	const site = `{"key":"a","origins":["http://a"],"timezone":"UTC","used":true}`
	f(``, "EOF")
	f(`{"version":1,"sites":[`+site+`]`, "EOF")
	f(`{"version":1,"sites":[`+site+`]} x`, "something follows")
	f(`{"version":2,"sites":[]}`, "version is 2, want 1")
	f(`{"version":1,"sites":[],"more":1}`, `unknown field "more"`)
	f(`{"version":1,"sites":[`+site+`,`+site+`]}`, `site "a" is there twice`)
	f(`{"version":1,"sites":[{"key":"A"}]}`, "key is")
	f(`{"version":1,"sites":[{"key":"a","timezone":"Nowhere"}]}`, "timezone is")
	f(`{"version":1,"sites":[{"key":"a","timezone":"UTC","origins":["x"]}]}`, "origin is")
}

func TestSitesThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := openTestSites(t, filepath.Join(dir, "sites.json"))
	if err := s.Put(heatmap.Site{Key: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(heatmap.Site{Key: "b"}); err == nil {
		t.Error("a site was registered that is not on disk")
	}
	if err := s.MarkUsed("a"); err == nil || s.find([]byte("a")).used.Load() {
		t.Error("a mark was set that is not on disk")
	}
	if list := s.List(); len(list) != 1 || list[0].Key != "a" {
		t.Error(list)
	}
	if err := s.MarkUsed("unknown"); err != nil {
		t.Error(err)
	}
}

func TestSitesConcurrently(t *testing.T) {
	s := testSites(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key := fmt.Sprintf("s%d", i)
			if err := errors.Join(s.Put(heatmap.Site{Key: key, Timezone: "Asia/Tokyo"}), s.MarkUsed(key), s.MarkUsed("shop")); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			for range 1000 {
				if _, ok := s.Lookup("shop"); !ok || len(s.List()) < 2 {
					t.Error("shop is gone")
				}
			}
		})
	}
	wg.Wait()
	again := openTestSites(t, s.path)
	if diff := cmp.Diff(s.List(), again.List()); diff != "" || len(again.List()) != 6 {
		t.Error(diff)
	}
	for _, key := range []string{"s0", "s1", "s2", "s3", "shop"} {
		if !again.find([]byte(key)).used.Load() {
			t.Errorf("%s is not marked", key)
		}
	}
}
