// Heatlog is a click and scroll heatmap server in one binary: the server, the client of its API, and the inspector of
// its data folder.
//
// Each subcommand has a file of its own, named for it. The package is the only one that reads flags and environment
// variables, and the only one that turns the other packages' statistics into metrics.
//
// Errors go to stderr as "heatlog: <error>", followed by "heatlog: hint: <next step>" where there is one. The exit
// status is 0 for success, 1 for failure and 2 for wrong usage.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // sites' zones must work on machines without a zone database

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// cli is the command line: one field a subcommand.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Take hits, count them and answer queries."`
	Import  importCmd  `cmd:"" help:"Send files of hits to the server."`
	Export  exportCmd  `cmd:"" help:"Write the recorded hits of a site, in the format that import reads."`
	Site    siteCmd    `cmd:"" help:"Add and list sites."`
	Signin  signinCmd  `cmd:"" help:"Print a link that signs a browser in."`
	Demo    demoCmd    `cmd:"" help:"Send made visitors to the demo pages, so that there is heat to look at."`
	Query   queryCmd   `cmd:"" help:"Ask the server for heatmaps, scroll curves and pages."`
	Replay  replayCmd  `cmd:"" help:"Count the journal anew by other rules, compare, switch, go back."`
	Rules   rulesCmd   `cmd:"" help:"Check a rules file, print its JSON Schema or a sample."`
	Journal journalCmd `cmd:"" help:"List, verify, dump, seal and prune the journal of a data folder."`
	Bench   benchCmd   `cmd:"" help:"Measure this machine: requests, hits, latency, bytes a hit."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are the standard streams of the process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run executes one command line and gives the exit status.
func run(args []string, s *streams) int {
	exited := -1
	parser, err := kong.New(&cli{},
		kong.Name("heatlog"),
		kong.Vars{"bench_parts": benchPartNames()},
		kong.Description("A click and scroll heatmap server, built as a log."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		panic("heatlog: command line: " + err.Error())
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	if exited >= 0 { // --help has been printed
		return exited
	}
	if err != nil {
		return report(s.err, usageError(err))
	}
	return report(s.err, ctx.Run(s))
}

// report prints err for a person and gives the exit status that it stands for.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(w, "heatlog: %v\n", err)
	var h *hintError
	if errors.As(err, &h) && h.hint != "" {
		fmt.Fprintf(w, "heatlog: hint: %s\n", h.hint)
	}
	if errors.As(err, new(*misuse)) {
		return exitUsage
	}
	return exitFailure
}

// hintError is an error with the next step that a person can take.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// withHint adds a next step to err.
func withHint(err error, format string, args ...any) error {
	return &hintError{error: err, hint: fmt.Sprintf(format, args...)}
}

// misuse is an error of whoever typed the command line.
type misuse struct{ error }

func (e *misuse) Unwrap() error { return e.error }

// usageError marks err as wrong usage and points to the help of the command that was meant.
func usageError(err error) error {
	command := "heatlog"
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if c := p.Context.Command(); c != "" {
			command += " " + commandWords(c)
		}
	}
	return withHint(&misuse{err}, "%s --help", command)
}

// commandWords leaves out the arguments of kong's name for a command.
func commandWords(command string) string {
	words := strings.Fields(command)
	for i, w := range words {
		if strings.HasPrefix(w, "<") {
			words = words[:i]
			break
		}
	}
	return strings.Join(words, " ")
}
