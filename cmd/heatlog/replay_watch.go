package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"heatlog/heatmap"
)

// How often progress is asked for, and told where no person looks.
const (
	watchEvery = 250 * time.Millisecond
	tellEvery  = 10 * time.Second
)

// follow shows the progress of a generation until it is ready, or active if it is to be, and says what it has become.
// When ctx ends it says how to go on.
func (f *generationFlags) follow(ctx context.Context, s *streams, all generations, g heatmap.Generation) error {
	shown := newProgress(s.err)
	defer shown.close()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		shown.show(&g)
		if done, err := f.settled(&g); done {
			shown.close()
			if err == nil {
				err = f.conclude(ctx, s.out, all, &g)
			}
			return err
		}
		select {
		case <-ctx.Done():
			shown.close()
			return f.interrupted(&g)
		case <-tick.C:
		}
		next, err := all.Get(ctx, g.ID)
		switch {
		case ctx.Err() != nil: // told above
		case isGone(err):
			return fmt.Errorf("generation %s is gone: it was dropped meanwhile", g.ID)
		case err != nil:
			return withHint(fmt.Errorf("follow generation %s: %w", g.ID, err), "it is built on when the server runs; %s", f.again("status "+g.ID+" --watch"))
		default:
			g = next
		}
	}
}

// settled reports whether there is nothing more to wait for, with an error if that is bad.
func (f *generationFlags) settled(g *heatmap.Generation) (bool, error) {
	switch g.State {
	case heatmap.StateFailed:
		hint := fmt.Sprintf("the active one is as before; %s removes this one", f.again("drop "+g.ID))
		if more := hintOf(g); more != "" {
			hint = more + "; " + hint
		}
		return true, withHint(fmt.Errorf("generation %s failed: %s", g.ID, g.Reason), "%s", hint)
	case heatmap.StateReady:
		return !g.Activate, nil
	case heatmap.StateActive, heatmap.StateRetired:
		return true, nil
	}
	return false, nil
}

func isGone(err error) bool {
	e := (*apiError)(nil)
	field, _ := refused(err)
	return field == "generation" && (!errors.As(err, &e) || e.Status == http.StatusNotFound)
}

// interrupted says what becomes of a generation that nobody follows any more.
func (f *generationFlags) interrupted(g *heatmap.Generation) error {
	if f.Offline {
		return withHint(fmt.Errorf("stopped while generation %s was %s; what was read is kept", g.ID, g.State),
			"%s goes on with it, and so does a server; %s gives it up", f.again("status "+g.ID+" --watch"), f.again("abort "+g.ID))
	}
	return withHint(fmt.Errorf("stopped following generation %s, which the server goes on with: it is %s", g.ID, stateText(g)),
		"%s follows it again, %s gives it up", f.again("status "+g.ID+" --watch"), f.again("abort "+g.ID))
}

// conclude says what a generation has become and what can be done with it.
func (f *generationFlags) conclude(ctx context.Context, w io.Writer, all generations, g *heatmap.Generation) error {
	list, err := all.List(ctx)
	if err != nil {
		return err
	}
	if err := printGeneration(w, *g, activeOf(list), time.Now()); err != nil {
		return err
	}
	if r, noReport := all.Report(ctx, g.ID); noReport == nil {
		if _, err := fmt.Fprintf(w, "\n%s\n%s shows all of it\n", r.Summary(), f.again("report "+g.ID)); err != nil {
			return err
		}
	}
	switch g.State {
	case heatmap.StateReady:
		next := fmt.Sprintf("%s switches to it", f.again("activate "+g.ID))
		_, err = fmt.Fprintf(w, "\n%s\n", next)
	case heatmap.StateActive:
		for _, before := range list {
			if before.State == heatmap.StateRetired {
				_, err = fmt.Fprintf(w, "\n%s goes back\n", f.again("activate "+before.ID))
			}
		}
	}
	return err
}

// progress shows how far a generation is: a bar to a person, else lines.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil where nobody looks
	state string                   // that was told last
	told  time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if file, ok := w.(*os.File); ok && isTerminal(file) {
		p.bar = progressbar.NewOptions64(1,
			progressbar.OptionSetWriter(file),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionFullWidth())
	}
	return p
}

// show brings what is seen up to date.
func (p *progress) show(g *heatmap.Generation) {
	state := stateText(g)
	if p.bar == nil {
		if state != p.state || time.Since(p.told) >= tellEvery {
			if g.State == heatmap.StateFailed && g.Progress.Of == 0 { // it is not open any more, so nobody knows
				fmt.Fprintf(p.w, "%s %s\n", g.ID, state)
			} else {
				fmt.Fprintf(p.w, "%s %s: %s\n", g.ID, state, progressText(&g.Progress))
			}
			p.state, p.told = state, time.Now()
		}
		return
	}
	text := fmt.Sprintf("%s %s, %s of %s hits", g.ID, state, heatmap.Grouped(g.Progress.Hits), heatmap.Grouped(g.Progress.Of))
	if g.Progress.HitsPerSecond > 0 {
		text += ", " + speedText(&g.Progress)
	}
	p.bar.Describe(text)
	// One short of the end at most: a bar that was full is not drawn again.
	p.bar.ChangeMax64(int64(g.Progress.Of) + 1)
	_ = p.bar.Set64(int64(min(g.Progress.Hits, g.Progress.Of)))
}

// close takes the bar away. Nothing is shown after it.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}
