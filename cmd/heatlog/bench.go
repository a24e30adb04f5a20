package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// benchCmd measures this machine.
type benchCmd struct {
	Run_       benchRunCmd    `cmd:"" name:"run" default:"withargs" help:"Run the rows of the bench and write them to a file (the default)."`
	Stream     benchStreamCmd `cmd:"" help:"Make hits as they come from visitors: as requests, as lines or as a journal."`
	BareServer bareServerCmd  `cmd:"" hidden:"" help:"Serve what the rows of requests are compared with."`
}

// benchRunCmd runs the bench.
type benchRunCmd struct {
	Part       []string      `name:"row" help:"Only these parts of the table, of ${bench_parts}; repeatable. all are those that fit into ten minutes." default:"all" placeholder:"PART"`
	Rounds     int           `help:"Runs of each row and its yardstick, in turns; the medians count." default:"3"`
	Time       time.Duration `help:"Length of one run of requests, 4s if not given." default:"4s" placeholder:"DURATION"`
	Conns      int           `help:"Connections that send requests." default:"1000"`
	Hits       int           `help:"Hits that questions are asked about." default:"10000000"`
	ApplyHits  int           `help:"Hits that are counted in the part apply." default:"2000000"`
	LargeHits  int           `help:"Hits that are many: what is asked about them is compared with --hits." default:"100000000"`
	MemoryHits int           `help:"Hits that are stored where memory is measured." default:"30000000"`
	Analysts   int           `help:"Analysts who ask at once." default:"200"`
	Asks       int           `help:"Times that a question is asked in a round." default:"100"`
	Ack        string        `help:"Ack mode of the server." enum:"sync,write" default:"sync"`
	Duckdb     string        `help:"Folder with node_modules/@duckdb/node-api, which the yardstick of questions needs; make bench installs it." default:".bin/duckdb" placeholder:"DIR"`
	Out        string        `help:"File for the rows, .bench/bench.json if not given." default:".bench/bench.json" placeholder:"FILE"`
	Markdown   string        `help:"File for the rows as a table in Markdown, .bench/bench.md if not given." default:".bench/bench.md" placeholder:"FILE"`
	Scratch    string        `help:"Folder for the data of the runs; it should be on the disk that a server would use. Without it the system's for temporary files." placeholder:"DIR"`
}

// Help says how is measured.
func (benchRunCmd) Help() string {
	return `The server runs on core 0, the load on core 1, where taskset and two cores are there; apply runs on one core, and import, replay and beside on all.
Every row is measured several times, in turns with its yardstick where it has one; the medians count.

  in        tracker's batches over many connections, beside a bare server that reads them; the same at half the top rate, from planned times
            on; how long until an answer counts a hit
  query     questions about --hits hits of 2,000 pages in 120 days, 16 January to 15 April, over HTTP to the last byte, beside the same
            question to DuckDB: on a table that is sorted for it, on one core, in its own process, without a network between; bytes a hit
  apply     journal to live counts in process, beside decoding alone
  import    a file
  replay    generations from the journal of query, on all cores
  analysts  questions on a plan while 50,000 hits/s come in; all at once
  live      how soon a hit is on the socket of who looks on at its page; what a thousand who look on cost
  draw      pictures of a tall page
  large     the question of query at --large-hits, in turns with --hits
  memory    a small cache, --memory-hits hits and 200,000 pages; full load and questions
  beside    batches while generations are built; only when it is asked for

A row that cannot be measured is named, the others run, and the exit status is 1. It takes 3 GB in --scratch, and memory for counts of 2 GiB.`
}

// benchPart measures some rows of the table, which need the same data.
type benchPart struct {
	name string
	run  func(*bench) error
	long bool // not among all
}

func benchParts() []benchPart {
	return []benchPart{
		{name: "in", run: (*bench).runIn},
		{name: "query", run: (*bench).runQuery},
		{name: "apply", run: (*bench).runApply},
		{name: "import", run: (*bench).runImport},
		{name: "replay", run: (*bench).runReplay},
		{name: "analysts", run: (*bench).runAnalysts},
		{name: "live", run: (*bench).runLive},
		{name: "draw", run: (*bench).runDraw},
		{name: "large", run: (*bench).runLarge},
		{name: "memory", run: (*bench).runMemory},
		{name: "beside", run: (*bench).runBeside, long: true},
	}
}

// benchPartNames lists the parts for the help.
func benchPartNames() string {
	var names []string
	for _, p := range benchParts() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// bench is one run of the bench.
type bench struct {
	*benchRunCmd
	log     io.Writer
	dir     string
	samples map[rowID]*rowSamples
	failed  map[string]error // by part
	refused map[rowID]error  // by row
	set     *benchSet        // what questions are asked about, nil until a part needs it

	loads      uint64 // so far
	freshLimit int    // of the last question that nothing was prepared for
}

// Run measures, prints the table and writes the files. A part that fails is named in its rows and does not stop the others.
func (c *benchRunCmd) Run(s *streams) error {
	parts, err := c.chosen()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.Scratch, "heatlog-bench-")
	if err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer os.RemoveAll(dir)
	defer removeWhenEnded(dir, s.err)()
	b := &bench{benchRunCmd: c, log: s.err, dir: dir, samples: map[rowID]*rowSamples{}, failed: map[string]error{}, refused: map[rowID]error{}}
	start := time.Now()
	for _, part := range parts {
		begin := time.Now()
		if err := part.run(b); err != nil {
			b.note("bench %s: %v", part.name, err)
			b.failed[part.name] = err
		}
		b.note("bench %s took %v", part.name, time.Since(begin).Round(time.Second))
	}
	rows := b.rows()
	if err := printRows(s.out, rows); err != nil {
		return err
	}
	if err := errors.Join(writeRows(c.Out, rows, !slices.Contains(c.Part, "all")), writeMarkdown(c.Markdown, rows, start)); err != nil {
		return err
	}
	if err := unmeasured(rows); err != nil {
		return err
	}
	return nil
}

// removeWhenEnded removes a folder and ends the process when somebody else ends it: what is measured takes gigabytes. The function that
// it gives must be called when that is not wanted any more.
func removeWhenEnded(dir string, log io.Writer) (stop func()) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-ended; ok {
			if err := os.RemoveAll(dir); err != nil {
				fmt.Fprintf(log, "heatlog: remove scratch folder: %v\n", err)
			}
			fmt.Fprintln(log, "heatlog: stopped before all was measured: nothing is written")
			os.Exit(exitFailure)
		}
	}()
	return func() {
		signal.Stop(ended)
		close(ended)
	}
}

// chosen checks the flags and gives the parts that they name.
func (c *benchRunCmd) chosen() (parts []benchPart, err error) {
	if c.Time <= 0 {
		return nil, &misuse{fmt.Errorf("--time is %v, want more than 0", c.Time)}
	}
	for _, n := range []struct {
		flag         string
		value, least int
	}{
		{"rounds", c.Rounds, 1}, {"conns", c.Conns, 1}, {"asks", c.Asks, 1}, {"analysts", c.Analysts, 1},
		{"hits", c.Hits, 1000}, {"apply-hits", c.ApplyHits, 1000}, {"large-hits", c.LargeHits, 1000}, {"memory-hits", c.MemoryHits, 1000},
	} {
		if n.value < n.least {
			return nil, &misuse{fmt.Errorf("--%s is %d, want at least %d", n.flag, n.value, n.least)}
		}
	}
	all := benchParts()
	for _, name := range c.Part {
		if name != "all" && !slices.ContainsFunc(all, func(p benchPart) bool { return p.name == name }) {
			return nil, withHint(&misuse{fmt.Errorf("there is no part %q of the bench", name)}, "--row all, or one of %s", benchPartNames())
		}
	}
	for _, p := range all {
		if slices.Contains(c.Part, p.name) || slices.Contains(c.Part, "all") && !p.long {
			parts = append(parts, p)
		}
	}
	return parts, nil
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

// quantile gives the smallest of the values that the share q of them does not exceed; 0 of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(max(int(math.Ceil(q*float64(len(sorted))))-1, 0), len(sorted)-1)]
}
