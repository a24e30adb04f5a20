package main

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our packages each package may import, tests aside. What is not listed may import none.
var mayImport = map[string][]string{
	"heatlog/heatmap":                         {},
	"heatlog/journal":                         {"heatlog/heatmap"},
	"heatlog/journal/journaltest":             {"heatlog/journal"},
	"heatlog/collector":                       {"heatlog/heatmap"},
	"heatlog/web":                             {"heatlog/heatmap"},
	"heatlog/index":                           {"heatlog/heatmap", "heatlog/journal"},
	"heatlog/index/pebblestore":               {"heatlog/heatmap", "heatlog/index"},
	"heatlog/index/mongostore":                {"heatlog/heatmap", "heatlog/index"},
	"heatlog/index/mongostore/mongotest":      {},
	"heatlog/index/mongostore/mongotest/tell": {},
	"heatlog/index/storetest":                 {"heatlog/heatmap", "heatlog/index"},
	"heatlog/cmd/heatlog/internal/stream":     {"heatlog/heatmap"},
	"heatlog/cmd/heatlog/internal/demo":       {"heatlog/heatmap", "heatlog/cmd/heatlog/internal/stream"},
	"heatlog/cmd/heatlog/internal/torture":    {"heatlog/journal/journaltest"},
	"heatlog/replay":                          {"heatlog/heatmap", "heatlog/journal", "heatlog/index"},
	"heatlog/cmd/heatlog": {
		"heatlog/heatmap", "heatlog/journal", "heatlog/collector", "heatlog/web", "heatlog/index", "heatlog/replay",
		"heatlog/index/pebblestore", "heatlog/index/mongostore", "heatlog/cmd/heatlog/internal/stream", "heatlog/cmd/heatlog/internal/demo",
	},
}

// mayImportOnly names libraries that belong to one package and to those below it.
var mayImportOnly = map[string]string{
	"github.com/cockroachdb/pebble/v2":    "heatlog/index/pebblestore",
	"go.mongodb.org/mongo-driver/v2":      "heatlog/index/mongostore",
	"github.com/alecthomas/kong":          "heatlog/cmd/heatlog",
	"github.com/prometheus/client_golang": "heatlog/cmd/heatlog",
	"github.com/schollz/progressbar/v3":   "heatlog/cmd/heatlog",
	"github.com/expr-lang/expr":           "heatlog/index",
	"github.com/goccy/go-yaml":            "heatlog/index",
	"github.com/fasthttp/websocket":       "heatlog/web",
}

// TestImports holds the rules of the house: who may import whom.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	for _, dir := range packageDirs(t, root) {
		p, err := build.ImportDir(filepath.Join(root, dir), 0)
		if _, none := err.(*build.NoGoError); none {
			continue
		}
		if err != nil {
			t.Fatalf("read package %s: %v", dir, err)
		}
		path := "heatlog/" + filepath.ToSlash(dir)
		seen[path] = true
		for _, imported := range p.Imports {
			checkImport(t, path, imported)
		}
	}
	for path := range mayImport {
		if !seen[path] {
			t.Errorf("package %s has a rule but no files", path)
		}
	}
}

// packageDirs gives every folder below root that holds Go files, relative to root.
func packageDirs(t *testing.T, root string) (dirs []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != "." &&
			(strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "data") {
			return fs.SkipDir
		}
		if d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// checkImport complains where importer must not import path.
func checkImport(t *testing.T, importer, path string) {
	t.Helper()
	for library, only := range mayImportOnly {
		if (path == library || strings.HasPrefix(path, library+"/")) && importer != only && !strings.HasPrefix(importer, only+"/") {
			t.Errorf("%s imports %s, which only %s may", importer, path, only)
		}
	}
	if path != "heatlog" && !strings.HasPrefix(path, "heatlog/") {
		return
	}
	allowed, listed := mayImport[importer]
	if !listed {
		t.Errorf("%s has no rule: say in mayImport what it may import", importer)
		return
	}
	if slices.Contains(allowed, path) {
		return
	}
	t.Errorf("%s imports %s, which the design does not allow", importer, path)
}
