package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// benchCmd measures this machine.
type benchCmd struct {
	Run_       benchRunCmd   `cmd:"" name:"run" default:"withargs" help:"Run the rows of the bench and write them to a file (the default)."`
	BareServer bareServerCmd `cmd:"" hidden:"" help:"Serve what the rows of requests are compared with."`
}

// benchRunCmd runs the bench.
type benchRunCmd struct {
	Row     []string      `help:"Only these rows: in, apply, import, replay; repeatable." enum:"in,apply,import,replay,beside,all" default:"all" placeholder:"NAME"`
	Rounds  int           `help:"Runs of each row and its yardstick, in turns; the medians count." default:"3"`
	Time    time.Duration `help:"Length of one run of requests." default:"5s" placeholder:"DURATION"`
	Conns   int           `help:"Connections that send requests." default:"256"`
	Hits    int           `help:"Hits for the rows apply, import, replay and beside." default:"2000000"`
	Ack     string        `help:"Ack mode of the server." enum:"sync,write" default:"sync"`
	Out     string        `help:"File for the rows." default:".bench/bench.json" placeholder:"FILE"`
	Scratch string        `help:"Folder for the data of the runs; it should be on the disk that a server would use." placeholder:"DIR"`
}

// benchRow is one line of the result. The yardstick is what the same work costs at least, or what must be reached;
// ratio is value by yardstick, and reach the ratio that is wanted: at least, or for sizes at most.
type benchRow struct {
	Row       string  `json:"row"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Yardstick float64 `json:"yardstick"`
	Ratio     float64 `json:"ratio"`
	Reach     float64 `json:"reach"`
	Met       bool    `json:"met"`

	of string // what the yardstick is, for the table
}

// atLeast makes a row of something that should be large.
func atLeast(row string, value float64, unit string, yardstick float64, of string, reach float64) benchRow {
	r := benchRow{Row: row, Value: value, Unit: unit, Yardstick: yardstick, Ratio: value / yardstick, Reach: reach, of: of}
	r.Met = r.Ratio >= reach
	return r
}

// atMost makes a row of something that should be small.
func atMost(row string, value float64, unit string, yardstick float64, of string, reach float64) benchRow {
	r := atLeast(row, value, unit, yardstick, of, reach)
	r.Met = r.Ratio <= reach
	return r
}

// bench is one run of the bench.
type bench struct {
	*benchRunCmd
	log  io.Writer
	dir  string
	rows []benchRow
}

// Run measures, prints the table and writes the file.
func (c *benchRunCmd) Run(s *streams) error {
	if c.Rounds < 1 || c.Conns < 1 || c.Hits < 1000 || c.Time <= 0 {
		return &misuse{errors.New("--rounds, --conns and --time must be above 0, --hits at least 1000")}
	}
	dir, err := os.MkdirTemp(c.Scratch, "heatlog-bench-")
	if err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{benchRunCmd: c, log: s.err, dir: dir}
	for _, part := range []struct {
		name string
		run  func() error
	}{{"in", b.runIn}, {"apply", b.runApply}, {"import", b.runImport}, {"replay", b.runReplay}, {"beside", b.runBeside}} {
		if !slices.Contains(c.Row, part.name) && !slices.Contains(c.Row, "all") {
			continue
		}
		if err := part.run(); err != nil {
			return fmt.Errorf("bench %s: %w", part.name, err)
		}
	}
	if err := printRows(s.out, b.rows); err != nil {
		return err
	}
	return writeRows(c.Out, b.rows)
}

// folder makes an empty folder for one run.
func (b *bench) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, name)
	if err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	return dir, nil
}

// note tells what goes on.
func (b *bench) note(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }

// median gives the middle of an odd number of values, and the lower of the two in the middle of an even one.
func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// medianOf gives the median of a figure of runs.
func medianOf[T any](runs []T, of func(T) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return median(values)
}

// printRows writes the table.
func printRows(w io.Writer, rows []benchRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tvalue\tunit\tyardstick\t\tratio\treach\tmet")
	for _, r := range rows {
		met := "yes"
		if !r.Met {
			met = "no"
		}
		fmt.Fprintf(t, "%s\t%.4g\t%s\t%.4g\t%s\t%.3f\t%.3f\t%s\n", r.Row, r.Value, r.Unit, r.Yardstick, r.of, r.Ratio, r.Reach, met)
	}
	return t.Flush()
}

// writeRows writes the file; rows of earlier runs that were not measured again stay.
func writeRows(name string, rows []benchRow) error {
	var old []benchRow
	if b, err := os.ReadFile(name); err == nil {
		if err := json.Unmarshal(b, &old); err != nil {
			return withHint(fmt.Errorf("read %s: %w", name, err), "remove the file")
		}
	}
	old = slices.DeleteFunc(old, func(o benchRow) bool {
		return slices.ContainsFunc(rows, func(r benchRow) bool { return r.Row == o.Row })
	})
	b, err := json.MarshalIndent(append(old, rows...), "", "  ")
	if err != nil {
		return fmt.Errorf("encode rows: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}
