package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../../.."

// TestRows holds that every row names tests that there are.
func TestRows(t *testing.T) {
	for _, row := range rows {
		files, err := filepath.Glob(filepath.Join(root, row.in, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(row.in, err)
		}
		var source strings.Builder
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
		for name := range strings.SplitSeq(row.tests, "|") {
			if !regexp.MustCompile(`(?m)^func ` + name + `\(t \*testing\.T\)`).MatchString(source.String()) {
				t.Errorf("row %s: %s has no %s", row.name, row.in, name)
			}
		}
	}
}

// TestTargets finds the decoders' targets, and no name in notDecoders that is none.
func TestTargets(t *testing.T) {
	names := func(r *run) (all []string) {
		found, err := r.targets(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			all = append(all, f.name)
		}
		return all
	}
	all, decoders := names(&run{all: true}), names(&run{})
	for _, name := range notDecoders {
		if !slices.Contains(all, name) || slices.Contains(decoders, name) {
			t.Errorf("%s: targets %v, decoders %v", name, all, decoders)
		}
	}
	if len(all) != len(decoders)+len(notDecoders) || !slices.Contains(decoders, "FuzzSealed") {
		t.Errorf("targets %v, decoders %v", all, decoders)
	}
}

// TestReason finds why a test was skipped in what go test -v prints.
func TestReason(t *testing.T) {
	out := []string{"=== RUN   TestX", "    x_test.go:7: no mount to be had here", "--- SKIP: TestX (0.00s)", "PASS"}
	if got := reason(out); got != "x_test.go:7: no mount to be had here" {
		t.Errorf("reason %q", got)
	}
}
