package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"heatlog/heatmap"
)

// replayCmd builds generations by other rules, and switches between them.
type replayCmd struct {
	Start    replayStartCmd    `cmd:"" default:"withargs" help:"Build a new generation of the journal by other rules; \"heatlog replay --rules FILE\" is the same."`
	List     replayListCmd     `cmd:"" help:"List the generations."`
	Status   replayStatusCmd   `cmd:"" help:"Show a generation: progress, and counts beside the active one's."`
	Report   replayReportCmd   `cmd:"" help:"Show how a generation compares with the active one."`
	Activate replayActivateCmd `cmd:"" help:"Switch to a generation that is ready, or back to one that was active."`
	Pause    replayPauseCmd    `cmd:"" help:"Stop building a generation until it is resumed."`
	Resume   replayResumeCmd   `cmd:"" help:"Go on building a generation from where it was."`
	Abort    replayAbortCmd    `cmd:"" help:"Give up a generation that is being built."`
	Drop     replayDropCmd     `cmd:"" help:"Remove a generation that is not active, and what is stored of it."`
}

// generations are those of a server or of a data folder. Errors are as of web.Generations, or of the server's answer.
type generations interface {
	List(ctx context.Context) ([]heatmap.Generation, error)
	Get(ctx context.Context, id string) (heatmap.Generation, error)
	Start(ctx context.Context, r heatmap.Replay) (heatmap.Generation, error)
	Report(ctx context.Context, id string) (*heatmap.Report, error)
	Activate(ctx context.Context, id string) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error
}

// generationFlags say whose generations a command is about.
type generationFlags struct {
	Offline bool `help:"Work on the data folder itself, and on --store, while no server runs on it."`
	storeFlags
	serverFlags
}

// use calls fn with the generations, until SIGINT or SIGTERM ends the context.
func (f *generationFlags) use(s *streams, fn func(ctx context.Context, g generations) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if f.Offline {
		return useOffline(ctx, f.Data, f.storeFlags, s, fn)
	}
	cl, err := f.client()
	if err != nil {
		return err
	}
	err = fn(ctx, &serverGenerations{cl})
	if errors.Is(err, errUnreachable) {
		return withHint(err, "start it with `heatlog serve`, give its address with --url, or work on the data folder with --offline --data DIR")
	}
	return err
}

// again is a command about a generation as this command would have it, for a hint.
func (f *generationFlags) again(words string) string {
	words = "heatlog replay " + words
	if f.URL != "" && f.URL != "http://127.0.0.1:8080" && os.Getenv("HEATLOG_URL") == "" && !f.Offline {
		words += " --url " + shellWord(f.URL)
	}
	if f.Data != "./data" && os.Getenv("HEATLOG_DATA") == "" {
		words += " --data " + shellWord(string(f.Data))
	}
	if f.Offline {
		words += " --offline"
	}
	return words
}

// replayStartCmd starts a replay and follows it.
type replayStartCmd struct {
	Rules       string   `help:"The rules, YAML; - is standard input." required:"" placeholder:"FILE"`
	Activate    bool     `help:"Switch to the new generation when it is ready."`
	Site        []string `help:"Count this site anew, and keep what the active generation has of the others; repeatable." placeholder:"KEY"`
	From        string   `help:"Count from this day on anew, YYYY-MM-DD in each site's zone, and keep what the active generation has of the days before." placeholder:"DATE"`
	SkipDamaged bool     `help:"Go on behind damage in the journal, and count the loss; without it the replay fails there."`
	Detach      bool     `help:"Do not wait for the end."`
	generationFlags
}

// Run starts the replay, and shows its progress until it is ready, or active if that was asked.
func (c *replayStartCmd) Run(s *streams) error {
	r, err := c.replay(s)
	if err != nil {
		return err
	}
	return c.use(s, func(ctx context.Context, all generations) error {
		g, err := all.Start(ctx, r)
		if err != nil {
			return c.hintAfter(err)
		}
		if hasNoRules(r.Rules) {
			g.Warnings = append([]string{c.Rules + " has no rules in it, so these are the default rules"}, g.Warnings...)
		}
		for _, warning := range g.Warnings {
			fmt.Fprintf(s.err, "heatlog: warning: generation %s: %s\n", g.ID, warning)
		}
		if c.Detach {
			_, err := fmt.Fprintf(s.out, "generation %s is %s\n", g.ID, g.State)
			return err
		}
		return c.follow(ctx, s, all, g)
	})
}

// replay reads the flags and the rules. What they say is judged by who builds the generation.
func (c *replayStartCmd) replay(s *streams) (r heatmap.Replay, err error) {
	if c.Detach && c.Offline {
		return r, withHint(&misuse{errors.New("--detach and --offline do not go together: it is this command that builds")}, "leave out --detach")
	}
	r = heatmap.Replay{Sites: c.Site, Activate: c.Activate, SkipDamaged: c.SkipDamaged}
	for _, key := range c.Site {
		if !heatmap.ValidSiteKey(key) {
			return r, &misuse{fmt.Errorf("site key %q is not 1 to 32 of a-z, 0-9 and '-'", key)}
		}
	}
	if c.From != "" {
		if r.From, err = heatmap.ParseDate(c.From); err != nil {
			return r, &misuse{fmt.Errorf("--from %q is not a day, as 2026-01-31", c.From)}
		}
	}
	in, _, err := openInput(s, c.Rules)
	if err != nil {
		return r, fmt.Errorf("read rules %s: %w", c.Rules, err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxRulesFile))
	if err != nil {
		return r, fmt.Errorf("read rules %s: %w", c.Rules, rootPathError(err))
	}
	r.Rules = string(text)
	return r, nil
}

// hasNoRules reports whether a rules file is empty but for comments.
func hasNoRules(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line != "---" && line[0] != '#' {
			return false
		}
	}
	return true
}

// maxRulesFile is more than rules may have: who judges them says so.
const maxRulesFile = 1 << 20

// hintAfter says how to go on after a refusal.
func (c *replayStartCmd) hintAfter(err error) error {
	field, message := refused(err)
	switch {
	case field == "rules":
		return withHint(errors.New(inFile(c.Rules, message)), "nothing was started; correct the file and try again")
	case isConflict(err):
		return withHint(errors.New(message), "%s shows them, %s removes one", c.again("list"), c.again("drop ID"))
	case field != "":
		return errors.New(withField(field, message))
	}
	return err
}

// refused is the parameter that an error blames, and what is wrong with it.
func refused(err error) (field, message string) {
	if e := (*apiError)(nil); errors.As(err, &e) {
		return e.Field, e.Message
	}
	if e := (*heatmap.ParamError)(nil); errors.As(err, &e) {
		return e.Field, e.Message
	}
	if e := (*heatmap.StateError)(nil); errors.As(err, &e) {
		return "", e.Error()
	}
	return "", ""
}

// isConflict reports whether what was asked does not go in the state that a generation is in.
func isConflict(err error) bool {
	e := (*apiError)(nil)
	return errors.As(err, new(*heatmap.StateError)) || errors.As(err, &e) && e.Status == http.StatusConflict
}

// serverGenerations are those of a server.
type serverGenerations struct{ cl *client }

const generationsPath = "/v1/generations"

// List asks for all.
func (g *serverGenerations) List(ctx context.Context) ([]heatmap.Generation, error) {
	var list struct{ Generations []heatmap.Generation }
	err := g.call(ctx, http.MethodGet, "", nil, &list)
	return list.Generations, err
}

// Get asks for one.
func (g *serverGenerations) Get(ctx context.Context, id string) (one heatmap.Generation, err error) {
	return one, g.call(ctx, http.MethodGet, "/"+id, nil, &one)
}

// Report asks for the report of one.
func (g *serverGenerations) Report(ctx context.Context, id string) (*heatmap.Report, error) {
	r := new(heatmap.Report)
	return r, g.call(ctx, http.MethodGet, "/"+id+"/report", nil, r)
}

// Start sends the replay.
func (g *serverGenerations) Start(ctx context.Context, r heatmap.Replay) (one heatmap.Generation, err error) {
	body := struct {
		heatmap.Replay
		From string `json:"from,omitempty"`
	}{Replay: r}
	if r.From != 0 {
		body.From = r.From.String()
	}
	return one, g.call(ctx, http.MethodPost, "", body, &one)
}

// Activate asks the server to.
func (g *serverGenerations) Activate(ctx context.Context, id string) error {
	return g.call(ctx, http.MethodPost, "/"+id+"/activate", nil, nil)
}

// Pause asks the server to.
func (g *serverGenerations) Pause(ctx context.Context, id string) error {
	return g.call(ctx, http.MethodPost, "/"+id+"/pause", nil, nil)
}

// Resume asks the server to.
func (g *serverGenerations) Resume(ctx context.Context, id string) error {
	return g.call(ctx, http.MethodPost, "/"+id+"/resume", nil, nil)
}

// Drop asks the server to.
func (g *serverGenerations) Drop(ctx context.Context, id string) error {
	return g.call(ctx, http.MethodDelete, "/"+id, nil, nil)
}

// call sends in as JSON, unless it is nil, and reads the answer into out, unless that is.
func (g *serverGenerations) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	resp, err := g.cl.do(ctx, method, generationsPath+path, nil, http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s%s: %w", generationsPath, path, err)
	}
	return nil
}
