// Bundle makes the scripts that the server sends from their TypeScript: web/front/*/ becomes web/static. It is run in the
// folder web, after npm ci.
//
//	go run ./bundle         write the files
//	go run ./bundle -check  compare them with what is there, exit 1 if one is not current
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// scripts are the files in static and what each is made of. The first two run in pages of others, whose visitors have
// whatever browser they have.
var scripts = []struct {
	name, entry string
	target      api.Target
	own         string // properties that get shorter names: no browser, page, server or other script may know them
}{
	{"hl.js", "front/hl/main.ts", api.ES2017, "^(undecided|flying|tries|settle|judge|sign|json|hits|full|flush|start|move|hide|show|hit|end|first|at|add)$"},
	{"hl-view.js", "front/view/main.ts", api.ES2017, ""},
	{"app.js", "front/app/main.tsx", api.ES2022, ""},
}

func main() {
	check := flag.Bool("check", false, "compare with the files that are there instead of writing them")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	var all error
	for _, s := range scripts {
		files, err := build(s.entry, s.name, s.target, s.own)
		if err != nil {
			return err
		}
		for _, f := range files {
			all = errors.Join(all, settle(filepath.Join("static", filepath.Base(f.Path)), f.Contents, check))
		}
	}
	return all
}

// build bundles one script, and the style sheet that it imports.
func build(entry, name string, target api.Target, own string) ([]api.OutputFile, error) {
	r := api.Build(api.BuildOptions{
		EntryPoints: []string{entry},
		Outfile:     filepath.Join("static", name),
		Bundle:      true,
		Format:      api.FormatIIFE,
		Target:      target,
		Charset:     api.CharsetUTF8,

		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		MangleProps:       own,
		LegalComments:     api.LegalCommentsNone,
		LogLevel:          api.LogLevelWarning,
	})
	if len(r.Errors) > 0 {
		return nil, fmt.Errorf("bundle %s: %d errors, see above; npm ci in web installs what is imported", entry, len(r.Errors))
	}
	return r.OutputFiles, nil
}

// settle writes a file, or says that it is not current.
func settle(path string, want []byte, check bool) error {
	if !check {
		fmt.Printf("%-22s %6d bytes, %6d gzipped\n", path, len(want), gzipped(want))
		return os.WriteFile(path, want, 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%s is not what its source makes: run make web and commit it", path)
	}
	return nil
}

// gzipped is how long b is as a server sends it, bytes.
func gzipped(b []byte) int {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	w.Write(b) // memory takes every byte
	w.Close()
	return packed.Len()
}
