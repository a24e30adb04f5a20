package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// benchRow is one line of the result. The yardstick is what the same work costs at least, or what must be reached;
// ratio is value by yardstick, and reach the ratio that is wanted: at least, or for sizes and times at most. A figure that
// nothing is wanted of has neither, and is met.
type benchRow struct {
	Row       string  `json:"row"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Yardstick float64 `json:"yardstick"`
	Ratio     float64 `json:"ratio"`
	Reach     float64 `json:"reach"`
	Met       bool    `json:"met"`
	Error     string  `json:"error,omitempty"` // why it was not measured

	of        string  // what the yardstick is, for the table
	low, high float64 // of the runs
}

// rowSamples are what the runs of a row came to.
type rowSamples struct{ values, yardsticks []float64 }

// sample adds a run of a row and of its yardstick, which is 0 where the row's limit is.
func (b *bench) sample(id rowID, value, yardstick float64) {
	s := b.samples[id]
	if s == nil {
		s = &rowSamples{}
		b.samples[id] = s
	}
	s.values = append(s.values, value)
	if yardstick != 0 {
		s.yardsticks = append(s.yardsticks, yardstick)
	}
}

// fail says why a row cannot be measured; the others of its part can.
func (b *bench) fail(id rowID, err error) {
	if b.refused[id] == nil {
		b.note("bench %s: %v", id, err)
		b.refused[id] = err
	}
}

// unmeasured names the rows that were not measured, nil if there are none.
func unmeasured(rows []benchRow) error {
	var names []string
	for _, r := range rows {
		if r.Error != "" {
			names = append(names, r.Row)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(names, "; "))
	}
	return nil
}

// rows gives the rows that were measured, and those of parts that failed, in the table's order.
func (b *bench) rows() (rows []benchRow) {
	for _, spec := range benchSpecs() {
		if s := b.samples[spec.id]; s != nil && b.refused[spec.id] == nil {
			rows = append(rows, spec.of(b, s))
		} else if err := cmp.Or(b.refused[spec.id], b.failed[spec.part]); err != nil {
			rows = append(rows, benchRow{Row: spec.name(b), Unit: spec.unit, Error: err.Error()})
		}
	}
	return rows
}

// of makes the row of what its runs came to.
func (spec *benchSpec) of(b *bench, s *rowSamples) benchRow {
	r := benchRow{Row: spec.name(b), Value: median(s.values), Unit: spec.unit, Reach: spec.reach, of: b.fillIn(spec.beside), low: slices.Min(s.values), high: slices.Max(s.values)}
	switch {
	case spec.limit == 0 && spec.reach == 0:
		r.Met = true
		return r
	case len(s.yardsticks) > 0:
		r.Yardstick = median(s.yardsticks)
		if spec.limit > 0 {
			r.Reach = spec.limit / r.Yardstick
		}
	default:
		r.Yardstick, r.Reach, r.of = spec.limit, 1, "the goal"
	}
	r.Ratio = r.Value / r.Yardstick
	if math.IsNaN(r.Ratio) || math.IsInf(r.Ratio, 0) {
		r.Ratio, r.Error = 0, "its yardstick is 0"
	}
	r.Met = r.Error == "" && (spec.least && r.Ratio >= r.Reach || !spec.least && r.Ratio <= r.Reach)
	return r
}

// name fills in what the row was measured with.
func (spec *benchSpec) name(b *bench) string { return b.fillIn(spec.row) }

// fillIn replaces what stands for flags in a text of the table.
func (b *bench) fillIn(text string) string {
	return strings.NewReplacer("{hits}", millions(b.Hits), "{apply}", millions(b.ApplyHits), "{large}", millions(b.LargeHits), "{memory}", millions(b.MemoryHits), "{conns}", fmt.Sprint(b.Conns), "{analysts}", fmt.Sprint(b.Analysts), "{ack}", b.Ack).Replace(text)
}

// millions writes a number of hits.
func millions(hits int) string {
	if hits < 100_000 {
		return fmt.Sprint(hits)
	}
	return fmt.Sprintf("%.4g million", float64(hits)/1e6)
}

// verdict is what the table says about the row.
func (r *benchRow) verdict() string {
	switch {
	case r.Error != "":
		return "failed"
	case r.Yardstick == 0:
		return ""
	case r.Met:
		return "yes"
	}
	return "no"
}

// printRows writes the table.
func printRows(w io.Writer, rows []benchRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tvalue\tunit\truns\tyardstick\t\tratio\treach\tmet")
	for _, r := range rows {
		switch {
		case r.Error != "":
			fmt.Fprintf(t, "%s\t\t\t\t\t\t\t\tfailed: %s\n", r.Row, oneLine(r.Error))
			continue
		case r.Yardstick == 0:
			fmt.Fprintf(t, "%s\t%.4g\t%s\t%.4g–%.4g\t\t\t\t\t\n", r.Row, r.Value, r.Unit, r.low, r.high)
			continue
		}
		fmt.Fprintf(t, "%s\t%.4g\t%s\t%.4g–%.4g\t%.4g\t%s\t%.3g\t%.3g\t%s\n",
			r.Row, r.Value, r.Unit, r.low, r.high, r.Yardstick, r.of, r.Ratio, r.Reach, r.verdict())
	}
	return t.Flush()
}

// oneLine makes a text that stays in its row.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 160)]
}

// writeRows writes the file. With keep, rows of earlier runs that were not measured again stay.
func writeRows(name string, rows []benchRow, keep bool) error {
	var old []benchRow
	if b, err := os.ReadFile(name); err == nil && keep {
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
	return writeReport(name, append(b, '\n'))
}

// writeReport writes a file of results, in a folder that it makes.
func writeReport(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

// writeMarkdown writes the rows of this run as a table, with when and on what they were measured.
func writeMarkdown(name string, rows []benchRow, start time.Time) error {
	var md strings.Builder
	fmt.Fprintf(&md, "Measured on %s with heatlog %s (%s) on %d cores of %s in %.0f minutes; medians, beside a yardstick of the same run.\n\n",
		start.UTC().Format(time.DateOnly), buildVersion(), runtime.Version(), runtime.NumCPU(), processorName(), math.Ceil(time.Since(start).Minutes()))
	md.WriteString("| what | measured | runs | beside | ratio | goal | reached |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		switch {
		case r.Error != "":
			fmt.Fprintf(&md, "| %s | not measured: %s | | | | | no |\n", r.Row, strings.ReplaceAll(oneLine(r.Error), "|", "\\|"))
			continue
		case r.Yardstick == 0:
			fmt.Fprintf(&md, "| %s | %s %s | %s–%s | | | | |\n", r.Row, figure(r.Value), r.Unit, figure(r.low), figure(r.high))
			continue
		}
		fmt.Fprintf(&md, "| %s | %s %s | %s–%s | %s: %s | %.3g | %.3g | %s |\n", r.Row, figure(r.Value), r.Unit, figure(r.low), figure(r.high), r.of,
			figure(r.Yardstick), r.Ratio, r.Reach, r.verdict())
	}
	return writeReport(name, []byte(md.String()))
}

// figure writes a number with three digits that count, and its thousands apart.
func figure(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("%.3g", v)
	}
	step := math.Pow(10, math.Floor(math.Log10(v))-2)
	digits := fmt.Sprintf("%.0f", math.Round(v/step)*step)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// processorName is what the system calls the processor.
func processorName() string {
	b, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the architecture has to do
	for line := range strings.Lines(string(b)) {
		if key, name, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return runtime.GOARCH
}
