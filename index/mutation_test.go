package index

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"heatlog/journal/journaltest"
)

// plantedBugs are mistakes that people have made or could make here: TestSimulation must find each of them. Each
// replaces text that is in the file exactly once.
var plantedBugs = []journaltest.Bug{
	{"one watermark for day and month", "shard.go", "Period: period}] {", "Period: heatmap.DayPeriod(period.First())}] {"},
	{"checkpoint is the position applied", "shard.go", "if e.first < position {", "if false {"},
	{"checkpoint forgets what is being flushed", "shard.go", "[2][]*entry{p.live, p.flushing}", "[2][]*entry{p.live, nil}"},
	{"checkpoint of one shard only", "checkpoint.go", "return least\n", "return dirty[0]\n"},
	{"stored is read before live", "sim_test.go", "func simReadsStoredFirst() bool {\n	return false", "func simReadsStoredFirst() bool {\n	return true"},
	{"blob ahead of the mark is taken", "read.go", "if d.Watermark > c.position && !c.ended {", "if false {"},
	{
		"live is added to blobs that have it", "read.go",
		"		case watermark >= h.to:\n		case watermark <= h.first:\n", "		case watermark >= h.to, watermark <= h.first:\n",
	},
	{"live is added to blobs that have a part of it", "read.go", "case watermark <= h.first:", "case true:"},
	{"write without compare-and-swap", "simstore_test.go", "if s.docs[w.Ref].Watermark != w.Old {", "if false {"},
	{
		"retry adds once more", "flush.go",
		"		if doc.Watermark == e.to {\n			continue\n		}\n		if doc.Watermark > e.first {",
		"		if doc.Watermark > e.first && doc.Watermark != e.to {",
	},
	{"flush over another owner's hits", "flush.go", "if doc.Watermark > e.first {", "if false {"},
	{"flush promises a hit that it has not seen", "shard.go", "e.to = s.applied\n", "e.to = s.applied + 1\n"},
	{"entry on its way to the store is forgotten", "shard.go", "p.flushing = append(p.flushing, e)", "_ = p.flushing"},
	{"a day is taken before its month has its hits", "shard.go", "	if e.month != nil {\n		s.feed(e)\n	}\n", ""},
	{"a month is taken without its days' hits", "shard.go", "for len(e.days) > 0 {", "for false {"},
	{"a query's month lacks its live days", "shard.go", "range e.days {", "range e.days[:0] {"},
	{"a hit goes to a month that its day is added to", "shard.go", "case day != nil && day.month != nil:", "case false:"},
	{"a part of a live month is left out", "read.go", "for _, part := range h.parts {", "for _, part := range h.parts[:1] {"},
	{"hits go on into an entry that was taken", "shard.go", "p.live, p.month = without(p.live, e), nil\n", "p.live = without(p.live, e)\n"},
	{"hits that are not durable are read", "simlog_test.go", "if r.next >= r.log.durable {", "if r.next >= len(r.log.chunks) {"},
	{"recovery without watermarks", "shard.go", "	if s.stored == nil {\n		return nil\n", "	if true {\n		return nil\n"},
	{"flushes go on without raising high", "checkpoint.go", "for h.at < to {", "for false {"},
	{"recovery ends too early", "shard.go", "s.applied, s.recovering = from, end", "s.applied, s.recovering = from, from"},
	{"trend counts months beside their days", "trend.go", "PeriodRange{heatmap.DayPeriod(0), ^heatmap.Period(0)}", "PeriodRange{0, ^heatmap.Period(0)}"},
	{"sampled hits are forgotten live", "shard.go", "		e.delta.AddSampled(o.layer.Bot(), o.sampled)\n", ""},
	{"trend loses live visitors", "trend.go", "	b.scope.MergePageScope(&p.scope)\n", ""},
	{"an older copy is written on", "feed.go", "return end < high", "return false"},
	{"new source skips what the old one had", "checkpoint.go", "return \"checkpoint/\" + generation + \"/\" + source", "return \"checkpoint/\" + generation"},
	{"new source looks up the old one's watermarks", "shard.go", "Key: k, Source: source}", "Key: k, Source: \"j1\"}"},
	{"new source's hits go into the old one's blobs", "flush.go", "Period: e.period}, Source: source}", "Period: e.period}, Source: \"j1\"}"},
	{"frozen source is not caught up", "feed.go", "return c.Position >= end", "return true"},
	{"frozen source's blobs are ahead for ever", "read.go", "d.Watermark > c.position && !c.ended", "d.Watermark > c.position"},
	{"a batch is named by its visitor", "repeats.go", "view, agent = b.Hits[0].View, b.Hits[0].UserAgent", "view, agent = b.Visitor, \"\""},
	{"a batch is named by its id alone", "repeats.go", "if b.Site != \"\" {", "if false {"},
	{"recovery does not know the batches before", "intake.go", "warmFrom(source, from.Appended)", "source.Since(from.Appended)"},
	{"recovery knows the ten minutes before only", "intake.go", "source.Before(begin)", "begin-1, true, error(nil)"},
	{"a gap makes batches be forgotten", "past.go", "	p.repeats.rotate()\n", "	p.repeats.rotate()\n	if bucket > p.bucket+1 {\n		p.repeats.before = fingerprints{}\n	}\n"},
	{"a gap keeps what is two buckets old", "past.go", "	p.repeats.rotate()\n", "	if bucket == p.bucket+1 {\n		p.repeats.rotate()\n	}\n"},
	{"journal is compared with one generation only", "feed.go", "most = max(most, high)", "most = high"},
	{"generations share a checkpoint", "checkpoint.go", "return \"checkpoint/\" + generation + \"/\" + source", "return \"checkpoint/\" + source"},
	{"flushes of another generation", "flush.go", "Ref{Generation: generation, Key: heatmap.Key{", "Ref{Generation: firstGeneration, Key: heatmap.Key{"},
	{"look-ups in another generation", "shard.go", "Ref{Generation: generation, Key: k", "Ref{Generation: firstGeneration, Key: k"},
	{"totals begin anew", "intake.go", "in.from, in.totals = from.Position, from.Totals", "in.from = from.Position"},
	{"totals of later hits", "totals.go", "return e.list[max(i-1, 0)]", "return checkpoint{e.list[max(i-1, 0)].Position, e.last.Appended, e.last.Totals}"},
	{"checkpoint is the next end of a chunk", "totals.go", "return e.list[max(i-1, 0)]", "return e.list[min(i, len(e.list)-1)]"},
	{"what is kept of the store is never old", "kept.go", "if e.version != version {", "if false {"},
	{"kept blob ahead of the mark is taken", "stored.go", "s.highest[i] > cut.position && !cut.ended", "s.highest[i] > cut.position && i < 0"},
	{"live is added to what is kept of all blobs", "stored.go", "if err := f.chain(source, k, s.watermark(k, source), parts); err != nil {", "if err := f.chain(source, k, 0, parts); err != nil {"},
	{"append time of a later hit", "totals.go", "return e.list[max(i-1, 0)]", "return checkpoint{e.list[max(i-1, 0)].Position, e.last.Appended, e.list[max(i-1, 0)].Totals}"},
}

// TestSimulationFindsPlantedBugs lets the simulation run with each bug in place of the real line. One program has them all.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	if os.Getenv("HEATLOG_SIM_RUNS") != "" {
		t.Skip("this is a simulation of a set length")
	}
	row := journaltest.Begin(t, "planted bugs", len(plantedBugs), 0)
	program := journaltest.Plant(t, plantedBugs, func(file string) bool { return !strings.HasPrefix(file, "sim") })
	if out, err := simulateWith(program, 0, 500); err != nil {
		t.Fatalf("with no bug: %v\n%s", err, out)
	}
	for i, bug := range plantedBugs {
		t.Run(strings.ReplaceAll(bug.Name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			out, err := simulateWith(program, i+1, 20_000)
			if err == nil {
				t.Fatal("20,000 schedules did not find it")
			}
			found := firstLineWith(out, ": seed ")
			if found == "" {
				t.Fatalf("the simulation did not run: %v\n%s", err, out)
			}
			t.Log(found)
			row.Done(1)
		})
	}
}

// simulateWith runs the simulation with the nth of the planted bugs, 0 for none, and gives what it prints.
func simulateWith(program string, nth, runs int) (string, error) {
	cmd := exec.Command(program, "-test.run=^TestSimulation$")
	cmd.Env = append(os.Environ(), fmt.Sprint(journaltest.PlantedEnv, "=", nth), fmt.Sprint("HEATLOG_SIM_RUNS=", runs), "HEATLOG_TORTURE=", "HEATLOG_SEED=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func firstLineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
