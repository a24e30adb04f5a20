package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heatlog/heatmap"
)

// oneGeneration is a command about one generation.
type oneGeneration struct {
	ID string `arg:"" help:"Name of the generation, as g2."`
	generationFlags
}

// move lets fn change the generation and says how it is then.
func (c *oneGeneration) move(s *streams, fn func(ctx context.Context, all generations) error, say func(heatmap.Generation) string) error {
	return c.use(s, func(ctx context.Context, all generations) error {
		if err := fn(ctx, all); err != nil {
			return c.hint(err)
		}
		g, err := all.Get(ctx, c.ID)
		if err != nil {
			return c.hint(err)
		}
		_, err = fmt.Fprintln(s.out, say(g))
		return err
	})
}

// hint says where the generations are listed if there is none of that name, or its state is in the way.
func (f *generationFlags) hint(err error) error {
	if field, message := refused(err); field == "generation" || isConflict(err) {
		return withHint(errors.New(message), "%s shows what there is", f.again("list"))
	}
	return err
}

// replayActivateCmd switches to a generation.
type replayActivateCmd struct{ oneGeneration }

// Run switches, and says how to go back.
func (c *replayActivateCmd) Run(s *streams) error {
	var before string
	return c.move(s, func(ctx context.Context, all generations) error {
		list, err := all.List(ctx)
		if err != nil {
			return err
		}
		before = activeOf(list)
		return all.Activate(ctx, c.ID)
	}, func(g heatmap.Generation) string {
		said := fmt.Sprintf("generation %s is active", g.ID)
		if before != "" && before != g.ID {
			said += fmt.Sprintf("; %s goes back", c.again("activate "+before))
		}
		return said
	})
}

// activeOf names the active one of a list, "" if it has none.
func activeOf(list []heatmap.Generation) string {
	for _, g := range list {
		if g.State == heatmap.StateActive {
			return g.ID
		}
	}
	return ""
}

// replayPauseCmd stops building.
type replayPauseCmd struct{ oneGeneration }

// Run pauses.
func (c *replayPauseCmd) Run(s *streams) error {
	return c.move(s, func(ctx context.Context, all generations) error { return all.Pause(ctx, c.ID) }, func(g heatmap.Generation) string {
		return fmt.Sprintf("generation %s is paused while %s; %s goes on", g.ID, g.State, c.again("resume "+g.ID))
	})
}

// replayResumeCmd goes on building.
type replayResumeCmd struct{ oneGeneration }

// Run resumes.
func (c *replayResumeCmd) Run(s *streams) error {
	return c.move(s, func(ctx context.Context, all generations) error { return all.Resume(ctx, c.ID) }, func(g heatmap.Generation) string {
		return fmt.Sprintf("generation %s is %s; %s shows how far it is", g.ID, g.State, c.again("status "+g.ID+" --watch"))
	})
}

// replayAbortCmd gives up a generation that is not ready yet.
type replayAbortCmd struct{ oneGeneration }

// Run drops it if it is being built.
func (c *replayAbortCmd) Run(s *streams) error {
	return c.drop(s, func(g heatmap.Generation) error {
		switch g.State {
		case heatmap.StateBuilding, heatmap.StateCatchingUp, heatmap.StateVerifying:
			return nil
		case heatmap.StateActive:
			return fmt.Errorf("generation %s is active, it is not being built", g.ID)
		}
		return withHint(fmt.Errorf("generation %s is %s, it is not being built", g.ID, g.State), "%s removes it", c.again("drop "+g.ID))
	})
}

// replayDropCmd removes a generation.
type replayDropCmd struct{ oneGeneration }

// Run drops it.
func (c *replayDropCmd) Run(s *streams) error {
	return c.drop(s, func(heatmap.Generation) error { return nil })
}

// drop removes the generation if check has nothing against it.
func (c *oneGeneration) drop(s *streams, check func(heatmap.Generation) error) error {
	return c.use(s, func(ctx context.Context, all generations) error {
		g, err := all.Get(ctx, c.ID)
		if err == nil {
			err = check(g)
		}
		if err == nil {
			err = all.Drop(ctx, c.ID)
		}
		if err != nil {
			return c.hint(err)
		}
		_, err = fmt.Fprintf(s.out, "generation %s is gone\n", c.ID)
		return err
	})
}

// replayReportCmd shows a report.
type replayReportCmd struct {
	JSON bool   `help:"Print it as JSON." name:"json"`
	ID   string `arg:"" optional:"" help:"Name of the generation, as g2; without it the newest that was compared."`
	generationFlags
}

// Run prints the report; one with problems is a failure.
func (c *replayReportCmd) Run(s *streams) error {
	return c.use(s, func(ctx context.Context, all generations) error {
		r, err := c.report(ctx, all)
		if err != nil {
			return c.hint(err)
		}
		if c.JSON {
			err = printJSON(s, r)
		} else {
			_, err = fmt.Fprint(s.out, r)
		}
		if err == nil && !r.OK() {
			err = fmt.Errorf("generation %s must not be used: %d problems", r.Generation, len(r.Problems))
		}
		return err
	})
}

// report gives the report of the generation that is named, or else the newest that there is.
func (c *replayReportCmd) report(ctx context.Context, all generations) (*heatmap.Report, error) {
	if c.ID != "" {
		return all.Report(ctx, c.ID)
	}
	list, err := all.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range slices.Backward(list) {
		if r, err := all.Report(ctx, g.ID); !isConflict(err) {
			return r, err
		}
	}
	return nil, withHint(errors.New("no generation was compared with another one"), "%s builds one and compares it", c.again("--rules FILE"))
}

// replayListCmd lists the generations.
type replayListCmd struct {
	JSON bool `help:"Print them as JSON." name:"json"`
	generationFlags
}

// Run prints one line a generation.
func (c *replayListCmd) Run(s *streams) error {
	return c.use(s, func(ctx context.Context, all generations) error {
		list, err := all.List(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s, map[string]any{"active": activeOf(list), "generations": append([]heatmap.Generation{}, list...)})
		}
		return printGenerations(s.out, list, time.Now())
	})
}

// replayStatusCmd shows one generation.
type replayStatusCmd struct {
	JSON  bool `help:"Print it as JSON." name:"json"`
	Rules bool `help:"Print its rules alone, as a rules file."`
	Watch bool `short:"w" help:"Follow it until it is ready."`
	oneGeneration
}

// Run prints or follows it.
func (c *replayStatusCmd) Run(s *streams) error {
	return c.use(s, func(ctx context.Context, all generations) error {
		g, err := all.Get(ctx, c.ID)
		switch {
		case err != nil:
			return c.hint(err)
		case c.Watch:
			return c.follow(ctx, s, all, g)
		case c.JSON:
			return printJSON(s, g)
		case c.Rules:
			_, err = fmt.Fprintln(s.out, strings.TrimRight(cmp.Or(g.RulesText, g.Rules), "\n"))
			return err
		}
		list, err := all.List(ctx)
		if err != nil {
			return err
		}
		return printGeneration(s.out, g, activeOf(list), time.Now())
	})
}

// printJSON writes v for people and programs.
func printJSON(s *streams, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return writeJSON(s.out, text)
}
