package mongostore_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"heatlog/index/mongostore/mongotest"
	"heatlog/journal/journaltest"
)

// plantedBugs are mistakes that people could make here: the tests of what the store promises must find each of them. Each
// replaces text that is in the file exactly once.
var plantedBugs = []journaltest.Bug{
	{"a document that is there already is taken for made", "swap.go", "*w.applied = !slices.Contains(duplicates, i)", "*w.applied = i >= 0"},
	{
		"replaced whatever its watermark", "swap.go",
		"filter := bson.D{{Key: idField, Value: w.id}, {Key: watermarkField, Value: int64(w.Old)}}", "filter := bson.D{{Key: idField, Value: w.id}}",
	},
	{"a document that is gone is made again", "swap.go", "SetReplacement(doc), size+len(doc)", "SetReplacement(doc).SetUpsert(true), size+len(doc)"},
	{
		"no answer is taken for done", "swap.go", "	if err != nil {\n		return err\n	}\n	if matched == 0 ||",
		"	if err != nil {\n		matched = len(writes)\n	}\n	if matched == 0 ||",
	},
	{"no answer is taken for not done", "swap.go", "if len(errs) > 0 {", "if len(errs) > len(part) {"},
	{"one of a bulk stands for all", "swap.go", "if matched == 0 || matched == len(writes) {", "if matched >= 0 {"},
	{"what another wrote is taken for done", "swap.go", "	if matched != 0 {\n", "	if matched > len(writes) {\n"},
	{
		"a record is replaced whatever it was", "record.go", "filter := bson.D{{Key: idField, Value: name}, {Key: valueField, Value: binaryOf(old)}}",
		"filter := bson.D{{Key: idField, Value: name}}",
	},
	{"a record that is there already is taken for made", "record.go", "if inserted = err == nil; onlyDuplicate(err) {", "if inserted = true; onlyDuplicate(err) {"},
	{"a record's lost answer is taken for done", "record.go", "		changed = err == nil && r.MatchedCount == 1\n		return err\n", "		changed = err != nil || r.MatchedCount == 1\n		return nil\n"},
	{"a scan that breaks off has come to its end", "scan.go", "		if err == nil || ctx.Err() != nil || isFinal(err) {\n			return err\n", "		if err == nil || ctx.Err() != nil || isFinal(err) || c.progress > 0 {\n			return nil\n"},
	{"a scan that breaks off begins anew", "scan.go", "	if last != \"\" {\n", "	if last == \"never\" {\n"},
}

// TestPlantedBugsAreFound runs the tests of what the store promises with each bug in place of the real line. One program has
// them all.
func TestPlantedBugsAreFound(t *testing.T) {
	if os.Getenv("HEATLOG_SIM_RUNS") != "" {
		t.Skip("this is a run of a set length")
	}
	t.Parallel() // the programs wait for the most part
	row := journaltest.Begin(t, "planted bugs of the store in MongoDB", len(plantedBugs), 0)
	server := mongotest.Database(t)
	program := journaltest.Plant(t, plantedBugs, func(file string) bool { return file == "mutation_test.go" })
	found := make([]string, len(plantedBugs)+1) // that of no bug is the first
	turns := make(chan struct{}, 4)
	var running sync.WaitGroup
	for i := range found {
		tests := "^(TestHistory|TestStore)$/^Swap$/^insert"
		if i == 0 || plantedBugs[i-1].File == "scan.go" {
			tests = "^TestScanGoesOn$"
		}
		running.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			found[i] = findBug(program, server, tests, i)
		})
	}
	running.Wait()
	if found[0] != "" {
		t.Fatalf("with no bug: %s", found[0])
	}
	for i, bug := range plantedBugs {
		if found[i+1] == "" {
			t.Errorf("no test found: %s", bug.Name)
			continue
		}
		t.Logf("%s: %s", bug.Name, found[i+1])
		row.Done(1)
	}
}

// findBug runs tests with the nth of the planted bugs, 0 for none, by some seeds, and gives the first complaint, "" if there is
// none.
func findBug(program, server, tests string, nth int) string {
	for seed := range 6 {
		cmd := exec.Command(program, "-test.run="+tests, "-test.parallel=4", "-test.timeout=2m")
		cmd.Env = append(os.Environ(), fmt.Sprint(journaltest.PlantedEnv, "=", nth), "HEATLOG_TEST_MONGODB="+server, "HEATLOG_TORTURE=", fmt.Sprint("HEATLOG_SEED=", seed))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return complaint(string(out), err)
		}
		if nth == 0 {
			break
		}
	}
	return ""
}

// complaint finds what a test says in the output of one that failed.
func complaint(out string, err error) string {
	for line := range strings.Lines(out) {
		if file, text, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.Contains(file, ".go:") && !strings.Contains(text, "HEATLOG_SEED") {
			return text
		}
	}
	return fmt.Sprintf("%v: %.2000s", err, out)
}
