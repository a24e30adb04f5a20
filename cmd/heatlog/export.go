package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"heatlog/heatmap"
)

// exportCmd writes a site's hits from the journal.
type exportCmd struct {
	Site      string `arg:"" help:"Site key."`
	From      string `help:"First day, YYYY-MM-DD, or first instant, RFC 3339." placeholder:"DATE"`
	To        string `help:"Last day, or the instant after the last." placeholder:"DATE"`
	Positions string `help:"Only hits below these positions, as an answer names them." placeholder:"SOURCE:N,…"`
	Output    string `short:"o" help:"File to write; .gz and .zst are packed; - is standard output." default:"-" placeholder:"FILE"`
	serverFlags
}

// Run streams the hits into the file.
func (c *exportCmd) Run(s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	query := url.Values{"site": {c.Site}}
	set(query, "from", c.From)
	set(query, "to", c.To)
	set(query, "positions", c.Positions)
	resp, err := cl.do(context.Background(), http.MethodGet, "/v1/export", query, nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	hits := bufio.NewReader(resp.Body)
	if _, err := hits.Peek(1); errors.Is(err, io.EOF) {
		if err := c.checkKnown(cl); err != nil {
			return err
		}
	}
	if err := saveAnswer(s, hits, c.Output); err != nil {
		return fmt.Errorf("export %s: %w", c.Site, err)
	}
	return nil
}

// checkKnown tells a site without hits from one that there is not.
func (c *exportCmd) checkKnown(cl *client) error {
	sites, _, err := cl.sites()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(sites, func(site heatmap.Site) bool { return site.Key == c.Site }) {
		return nil
	}
	return withHint(fmt.Errorf("site %q is unknown", c.Site), "heatlog site list")
}

// saveFile writes r to a file, packed as the name says (.gz, .zst), and leaves no half of one behind.
func saveFile(name string, r io.Reader) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return fmt.Errorf("save %s: %w", name, rootPathError(err))
	}
	defer os.Remove(tmp.Name())
	w, err := packer(name, tmp)
	if err == nil {
		_, err = io.Copy(w, r)
		err = errors.Join(err, w.Close())
	}
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("save %s: %w", name, rootPathError(err))
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return fmt.Errorf("save %s: %w", name, rootPathError(err))
	}
	return nil
}

// packer compresses what is written to w as the file's name asks for.
func packer(name string, w io.Writer) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewWriter(w)
	}
	return plainWriter{w}, nil
}

// plainWriter is a packer that packs nothing.
type plainWriter struct{ io.Writer }

// Close does nothing: whoever opened the file closes it.
func (plainWriter) Close() error { return nil }
