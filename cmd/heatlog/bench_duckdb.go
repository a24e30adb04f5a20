package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"heatlog/heatmap"
)

//go:embed internal/duckdb/query.mjs
var duckdbScript []byte

// duckdb is DuckDB, driven by a script of Node's, with a table of a set's hits. It reads nothing but this table, answers on one core, and
// is asked without a network between: what a user would have at best.
type duckdb struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	errs  *strings.Builder
	pages map[string]int // numbers of pages in the table
}

// duckdbAnswer is a line of the script.
type duckdbAnswer struct {
	MS    float64     `json:"ms"`
	Cells [][3]uint32 `json:"cells"` // x, y, hits
}

// openDuckdb loads the first hits of the bench's stream into a table.
func (b *bench) openDuckdb(hits int) (_ *duckdb, err error) {
	module, err := filepath.Abs(b.Duckdb)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(module, "node_modules", "@duckdb", "node-api")); err != nil {
		return nil, fmt.Errorf("DuckDB is not installed in %s (make bench does it): %w", module, err)
	}
	dir, err := b.folder("duckdb")
	if err != nil {
		return nil, err
	}
	script, lines, db := filepath.Join(dir, "query.mjs"), filepath.Join(dir, "hits.csv"), filepath.Join(dir, "db")
	if err := os.WriteFile(script, duckdbScript, 0o644); err != nil {
		return nil, err
	}
	d := &duckdb{pages: map[string]int{}}
	if err := d.writeCSV(lines, hits); err != nil {
		return nil, err
	}
	if err := d.start(false, "node", script, module, "load", lines, db); err != nil {
		return nil, err
	}
	loaded, err := d.answer()
	if err := errors.Join(err, d.close(), os.Remove(lines)); err != nil {
		return nil, err
	}
	b.note("DuckDB loaded and sorted %s hits in %.1f s", millions(hits), loaded.MS/1000)
	if err := d.start(true, "node", script, module, "ask", db); err != nil {
		return nil, err
	}
	if _, err := d.answer(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// writeCSV writes the hits with what questions ask for, as numbers. What page and bot are is found out without heatlog's index.
func (d *duckdb) writeCSV(name string, hits int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w, source := bufio.NewWriterSize(f, 1<<20), newBenchHits(hits)
	var line []byte
	for batches := source.next(1000); len(batches) > 0; batches = source.next(1000) {
		for i := range batches {
			for j := range batches[i].Hits {
				line = d.appendCSV(line[:0], &batches[i].Hits[j])
				if _, err := w.Write(line); err != nil {
					return errors.Join(err, f.Close())
				}
			}
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

func (d *duckdb) appendCSV(line []byte, h *heatmap.Hit) []byte {
	page, _, _ := strings.Cut(h.URL, "?") // only campaigns add parameters
	number, ok := d.pages[page]
	if !ok {
		number = len(d.pages)
		d.pages[page] = number
	}
	kind := 0
	if h.Kind == heatmap.KindClick {
		kind = 1
	}
	line = strconv.AppendInt(line, int64(number), 10)
	line = strconv.AppendInt(append(line, ','), int64(kind), 10)
	line = strconv.AppendBool(append(line, ','), strings.Contains(h.UserAgent, "+http"))
	line = strconv.AppendInt(append(line, ','), int64(h.ViewportW), 10)
	line = strconv.AppendInt(append(line, ','), h.Time, 10)
	line = strconv.AppendInt(append(line, ','), int64(h.X), 10)
	line = strconv.AppendInt(append(line, ','), int64(h.Y), 10)
	return append(line, '\n')
}

// start starts the script, on the server's core if pinned.
func (d *duckdb) start(pinned bool, name string, args ...string) error {
	if pinned && canPin() {
		name, args = "taskset", append([]string{"-c", serverCore, name}, args...)
	}
	d.cmd, d.errs = exec.Command(name, args...), &strings.Builder{}
	d.cmd.Stderr = d.errs
	endWithBench(d.cmd)
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	d.out = bufio.NewScanner(out)
	d.out.Buffer(nil, 64<<20)
	if err := d.cmd.Start(); err != nil {
		return fmt.Errorf("start DuckDB: %w", err)
	}
	return nil
}

// answer reads one line.
func (d *duckdb) answer() (a duckdbAnswer, err error) {
	if !d.out.Scan() {
		return a, fmt.Errorf("DuckDB ended: %w: %s", errors.Join(io.ErrUnexpectedEOF, d.out.Err()), oneLine(d.errs.String()))
	}
	return a, json.Unmarshal(d.out.Bytes(), &a)
}

// hot asks for the clicks on a page in the ninety days by visitors with a viewport from low to high px; with all it gives the cells.
func (d *duckdb) hot(page string, low, high int, all bool) (duckdbAnswer, error) {
	from, _ := time.Parse(time.DateOnly, benchFrom)
	to, _ := time.Parse(time.DateOnly, benchTo)
	q, err := json.Marshal(map[string]any{"page": d.pages[page], "low": low, "high": high, "all": all,
		"from": from.UnixMilli(), "to": to.AddDate(0, 0, 1).UnixMilli()})
	if err != nil {
		return duckdbAnswer{}, err
	}
	if _, err := d.in.Write(append(q, '\n')); err != nil {
		return duckdbAnswer{}, fmt.Errorf("ask DuckDB: %w", err)
	}
	return d.answer()
}

// close ends the script.
func (d *duckdb) close() error {
	if err := errors.Join(d.in.Close(), d.cmd.Wait()); err != nil {
		return fmt.Errorf("DuckDB: %w: %s", err, oneLine(d.errs.String()))
	}
	return nil
}
