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
	"os/exec"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// scripts are the files in static and what each is made of. The first two run in pages of others, whose visitors have
// whatever browser they have.
var scripts = []struct {
	name, entry string
	target      api.Target
	own         string // of the script that is to be as small as can be: properties that get shorter names, as no browser, page, server or other script knows them
}{
	{"hl.js", "front/hl/main.ts", api.ES2019, "^(undecided|flying|settle|judge|sign|json|page|full|flush|move|hide|show|hit|end|add|until|allow)$"},
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

// build bundles one script, and the style sheet that it imports. With names of its own it goes through Terser too, which packs
// one in twenty bytes better.
func build(entry, name string, target api.Target, own string) ([]api.OutputFile, error) {
	options := api.BuildOptions{
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
	}
	if own != "" {
		options.MinifyWhitespace, options.MinifyIdentifiers = false, false // Terser does it better
		options.TsconfigRaw = `{}`                                         // without the "use strict" of the one that is there
	}
	r := api.Build(options)
	if len(r.Errors) > 0 {
		return nil, fmt.Errorf("bundle %s: %d errors, see above; npm ci in web installs what is imported", entry, len(r.Errors))
	}
	if own != "" {
		packed, err := pack(r.OutputFiles[0].Contents)
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w; npm ci in web installs Terser", entry, err)
		}
		r.OutputFiles[0].Contents = packed
	}
	return r.OutputFiles, nil
}

// pack is Terser.
func pack(script []byte) ([]byte, error) {
	c := exec.Command(filepath.Join("node_modules", ".bin", "terser"), "--ecma", "2019", "--compress", "passes=3,unsafe_arrows,unsafe_methods,reduce_funcs=false", "--mangle")
	c.Stdin, c.Stderr = bytes.NewReader(script), os.Stderr
	return c.Output()
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
