package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"heatlog/journal/journaltest"
)

// notDecoders are fuzz targets that read nothing which is stored or sent in a format of ours.
var notDecoders = []string{"FuzzScrub", "FuzzAppendString", "FuzzClientIP", "FuzzCanon", "FuzzPattern"}

// target is a fuzz target of a package.
type target struct{ in, name string }

var (
	fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)
	fuzzLine = regexp.MustCompile(`^fuzz: elapsed: .*, execs: (\d+)`)
)

// targets finds the fuzz targets below root.
func (r *run) targets(root string) (all []target, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(source, -1) {
			if name := string(m[1]); r.all || !slices.Contains(notDecoders, name) {
				all = append(all, target{"./" + filepath.ToSlash(filepath.Dir(path)), name})
			}
		}
		return nil
	})
	return all, err
}

// fuzz fuzzes every target, two at a time on a core each.
func (r *run) fuzz(ctx context.Context) error {
	all, err := r.targets(".")
	if err != nil {
		return fmt.Errorf("find fuzz targets: %w", err)
	}
	fmt.Printf("torture: fuzz: %d targets, %v each, two at a time\n", len(all), r.fuzztime)
	next := make(chan target)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for t := range next {
				r.fuzzOne(ctx, t)
			}
		})
	}
	for _, t := range all {
		if ctx.Err() == nil {
			next <- t
		}
	}
	close(next)
	workers.Wait()
	return nil
}

// fuzzOne fuzzes one target; what makes it fail is in a file that its output names.
func (r *run) fuzzOne(ctx context.Context, t target) {
	begun, told := time.Now(), time.Now()
	result := journaltest.Result{Test: "fuzz " + strings.TrimPrefix(t.in, "./") + " " + t.name, Form: journaltest.Form()}
	var output []string
	err := r.goTest(ctx, func(text string) {
		m := fuzzLine.FindStringSubmatch(text)
		if m == nil {
			output = append(output, text)
			return
		}
		result.Runs, _ = strconv.Atoi(m[1])
		result.Found = strings.TrimPrefix(text, "fuzz: ")
		if time.Since(told) > 9*time.Second {
			told = time.Now()
			fmt.Printf("torture: %s: %s of %v\n", result.Test, result.Found, r.fuzztime)
		}
	}, "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", r.fuzztime.String(), "-parallel", "1", t.in)
	if ctx.Err() != nil {
		return
	}
	text := strings.Join(output, "\n")
	if result.Seconds = journaltest.Seconds(begun); err != nil && !onlyEnded(text) {
		fmt.Println(text)
		result.Violations, result.Found = 1, fmt.Sprintf("%v: %.500s", err, text)
	}
	r.write(result)
}

// onlyEnded reports whether go test says no more than that the time is over: now and then it takes its own deadline for a
// failure (https://go.dev/issue/48591). What a target fails by has a place in a file, or an input that is kept.
func onlyEnded(output string) bool {
	return strings.Contains(output, "\n    context deadline exceeded\nFAIL") && !strings.Contains(output, "Failing input") && !strings.Contains(output, ".go:")
}
