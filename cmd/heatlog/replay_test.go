package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// stagedGenerations go through given states of g2, one each time that it is asked for; the last one stays.
type stagedGenerations struct {
	generations // what no test asks
	stages      []heatmap.Generation
	asked       func(n int)
	n           int
	err         error // after the last stage, nil = it stays
}

func (s *stagedGenerations) Get(context.Context, string) (heatmap.Generation, error) {
	s.n++
	if s.asked != nil {
		s.asked(s.n)
	}
	if s.n >= len(s.stages) && s.err != nil {
		return heatmap.Generation{}, s.err
	}
	return s.stages[min(s.n, len(s.stages)-1)], nil
}

func (s *stagedGenerations) List(context.Context) ([]heatmap.Generation, error) {
	return []heatmap.Generation{{ID: "g1", State: heatmap.StateActive}, s.stages[len(s.stages)-1]}, nil
}

func (s *stagedGenerations) Report(context.Context, string) (*heatmap.Report, error) {
	return nil, &heatmap.StateError{Message: "not compared"}
}

func stage(state heatmap.State, hits uint64) heatmap.Generation {
	return heatmap.Generation{
		ID: "g2", State: state, Counts: &heatmap.Counts{Read: hits, Hits: hits},
		Progress: heatmap.Progress{Hits: hits, Of: 4000, HitsPerSecond: 1000.4, ETASeconds: float64(4000-hits) / 1000},
	}
}

// followed gives what following the stages prints, and how the command line ends.
func followed(ctx context.Context, f *generationFlags, all *stagedGenerations) (out, progress, errors string, status int) {
	var o, p, e bytes.Buffer
	err := f.follow(ctx, &streams{out: &o, err: &p}, all, all.stages[0])
	status = report(&e, err)
	return o.String(), p.String(), e.String(), status
}

func TestFollow(t *testing.T) {
	paused := stage(heatmap.StateBuilding, 1000)
	paused.Paused = true
	switching := stage(heatmap.StateReady, 4000)
	switching.Activate = true
	failed := stage(heatmap.StateFailed, 2000)
	failed.Reason = "segment 7, offset 4096: checksum"
	f := func(name string, all *stagedGenerations, status int, out, progress, errors string) {
		t.Helper()
		gotOut, gotProgress, gotErrors, gotStatus := followed(t.Context(), &generationFlags{serverFlags: serverFlags{Data: "./data"}}, all)
		if gotStatus != status || !strings.Contains(gotOut, out) || gotProgress != progress || !strings.Contains(gotErrors, errors) || (status == 0) != (gotErrors == "") {
			t.Errorf("%s: status %d, want %d\n%s\n%s\n%s", name, gotStatus, status, gotOut, gotProgress, gotErrors)
		}
	}
	f("ready", &stagedGenerations{stages: []heatmap.Generation{stage(heatmap.StateBuilding, 1000), paused, stage(heatmap.StateCatchingUp, 3990), stage(heatmap.StateVerifying, 4000), stage(heatmap.StateReady, 4000)}}, 0,
		"\nheatlog replay activate g2 switches to it\n",
		"g2 building: 1,000 of 4,000 hits (25 %), 1,000 hits/s, 3s left\ng2 building, paused: 1,000 of 4,000 hits (25 %), 1,000 hits/s, 3s left\n"+
			"g2 catching-up: 3,990 of 4,000 hits (99 %), 1,000 hits/s, 1s left\ng2 verifying: 4,000 of 4,000 hits (100 %)\ng2 ready: 4,000 of 4,000 hits (100 %)\n", "")
	f("active", &stagedGenerations{stages: []heatmap.Generation{switching, switching, stage(heatmap.StateActive, 4000)}}, 0,
		"state       active\n", "g2 ready: 4,000 of 4,000 hits (100 %)\ng2 active: 4,000 of 4,000 hits (100 %)\n", "")
	f("failed", &stagedGenerations{stages: []heatmap.Generation{failed}}, 1, "", "g2 failed: 2,000 of 4,000 hits (50 %), 1,000 hits/s, 2s left\n",
		"heatlog: generation g2 failed: segment 7, offset 4096: checksum\nheatlog: hint: the active one is as before; heatlog replay drop g2 removes this one\n")
	lost := stage(heatmap.StateFailed, 0)
	lost.Progress, lost.Counts = heatmap.Progress{}, nil
	lost.Reason = "read segment j1/2.hjs:0: sealed segment is missing (hits 2 to 3 are lost)"
	f("failed at damage", &stagedGenerations{stages: []heatmap.Generation{lost}}, 1, "", "g2 failed\n",
		"heatlog: hint: put a copy of the segment back, or begin again with --skip-damaged, which goes on behind damage and counts the loss; "+
			"with --from DATE beside it, a day behind the damage, the days before are carried over as they are counted now, and nothing of them is lost; the active one is as before")
	f("gone", &stagedGenerations{stages: []heatmap.Generation{stage(heatmap.StateVerifying, 4000)}, err: &heatmap.ParamError{Field: "generation", Message: "there is no generation g2"}}, 1, "",
		"g2 verifying: 4,000 of 4,000 hits (100 %)\n", "heatlog: generation g2 is gone: it was dropped meanwhile\n")
	f("server gone", &stagedGenerations{stages: []heatmap.Generation{stage(heatmap.StateVerifying, 4000)}, err: errUnreachable}, 1, "",
		"g2 verifying: 4,000 of 4,000 hits (100 %)\n", "heatlog: hint: it is built on when the server runs; heatlog replay status g2 --watch\n")
}

// TestFollowInterrupted: who stops following is told that the server goes on, and how to look again or to give up.
func TestFollowInterrupted(t *testing.T) {
	f := func(flags *generationFlags, want string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		all := &stagedGenerations{stages: []heatmap.Generation{stage(heatmap.StateBuilding, 1000)}, asked: func(n int) {
			if n == 3 {
				cancel()
			}
		}}
		if out, _, errors, status := followed(ctx, flags, all); status != exitFailure || out != "" || errors != want {
			t.Errorf("status %d, %s%s, want %s", status, out, errors, want)
		}
	}
	f(&generationFlags{serverFlags: serverFlags{Data: "./data"}}, `heatlog: stopped following generation g2, which the server goes on with: it is building
heatlog: hint: heatlog replay status g2 --watch follows it again, heatlog replay abort g2 gives it up
`)
	f(&generationFlags{Offline: true, serverFlags: serverFlags{Data: "my data"}}, `heatlog: stopped while generation g2 was building; what was read is kept
heatlog: hint: heatlog replay status g2 --watch --data 'my data' --offline goes on with it, and so does a server; heatlog replay abort g2 --data 'my data' --offline gives it up
`)
}

func TestReplayTexts(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(cut(strings.Repeat("ž", maxRuleText)), strings.Repeat("ž", maxRuleText))
	f(cut(strings.Repeat("ž", maxRuleText+1)), strings.Repeat("ž", maxRuleText-1)+"…")
	f(cut("a\n  b"), "a b")
	f(scopeText(heatmap.Scope{}), "everything")
	f(scopeText(heatmap.Scope{From: "2026-01-02"}), "all sites from 2026-01-02")
	f(scopeText(heatmap.Scope{Sites: []string{"blog", "shop"}}), "blog shop")
	now := time.UnixMilli(1_767_225_600_000)
	f(noteOf(&heatmap.Generation{Until: now.Add(90 * time.Minute)}, now), "is dropped in 1 h 30 min")
	f(noteOf(&heatmap.Generation{Until: now.Add(24*time.Hour - time.Second)}, now), "is dropped in 24 h")
	f(noteOf(&heatmap.Generation{Until: now.Add(-time.Hour)}, now), "is dropped in 0 min")
	lost := heatmap.Generation{ID: "g2", State: heatmap.StateFailed, Reason: "read segment 7: gone"}
	var table, one strings.Builder
	if err := errors.Join(printGenerations(&table, []heatmap.Generation{lost}, now), printGeneration(&one, lost, "g1", now)); err != nil {
		t.Fatal(err)
	}
	if text := table.String() + one.String(); strings.Contains(text, "100 %") || strings.Contains(text, "0 of 0") || !strings.Contains(text, "--skip-damaged") || !strings.Contains(text, "--from DATE") {
		t.Errorf("of a generation that failed:\n%s", text)
	}
	f(hintOf(&heatmap.Generation{State: heatmap.StateFailed, Reason: "read segment 7: gone", SkipDamaged: true}), "")
	f(plural(1, "place")+plural(uint64(0), "hit")+are(plural(1, "hit"), 1)+are(plural(2, "hit"), 2), "1 place0 hits1 hit is2 hits are")
	field, message := refused(errors.Join(&heatmap.ParamError{Field: "rules", Message: "rules 1:1: no"}))
	f(field+"|"+message, "rules|rules 1:1: no")
}
