package collector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzSites reads any bytes as the register of sites: what is taken survives being written.
func FuzzSites(f *testing.F) {
	f.Add([]byte(`{"version":1,"sites":[{"key":"shop","origins":["https://shop.example"],"timezone":"Europe/Prague"}]}`))
	f.Add([]byte(`{"version":1,"sites":[{"key":"a"},{"key":"a"}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "sites.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSites(path)
		if err != nil {
			return
		}
		before := s.List()
		for _, site := range before {
			if err := s.Put(site); err != nil {
				t.Fatalf("put %+v: %v", site, err)
			}
		}
		again, err := OpenSites(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, again.List()); diff != "" {
			t.Error(diff)
		}
	})
}
