package replay

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// childFolder names, in the environment, the data folder that a process of this test works on, childStore the database beside
// it, none for a store in the folder, childPlan what it is to do there.
const (
	childFolder = "HEATLOG_REPLAY_CHILD"
	childStore  = "HEATLOG_REPLAY_STORE"
	childPlan   = "HEATLOG_REPLAY_PLAN"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := child(dir, os.Getenv(childStore), os.Getenv(childPlan)); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openFolder opens the generations of a folder. The store is in the folder too, unless there is the URI of one in MongoDB.
func openFolder(dir, uri string, o Options) (g *Generations, j *journal.Journal, s closingStore, err error) {
	if j, err = journal.Open(filepath.Join(dir, "journal"), journal.Options{Ack: journal.AckWrite}); err != nil {
		return nil, nil, nil, err
	}
	if s, err = openStore(filepath.Join(dir, "store"), uri); err != nil {
		return nil, nil, nil, err
	}
	o.Index = index.Options{Store: s, CacheBytes: 1 << 20, FlushEvery: 20 * time.Millisecond, CheckpointEvery: 20 * time.Millisecond}
	o.Sources = func(damaged func(*journal.CorruptError)) (index.Source, []index.Source) {
		return index.JournalSource(j, damaged), nil
	}
	g, err = Open(context.Background(), o)
	return g, j, s, err
}

// child opens a folder, does what the plan says, and prints each generation's state when it changes, until it is killed.
func child(dir, uri, plan string) error {
	slow := func(ctx context.Context, v Verification) (*heatmap.Report, error) {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
		return Compare(ctx, v)
	}
	g, j, _, err := openFolder(dir, uri, Options{ReplayBytes: 1 << 20, Verify: slow})
	if err != nil {
		return err
	}
	go func() { // hits go on arriving
		for n := 0; ; n++ {
			hit := heatmap.Hit{Time: time.Now().UnixMilli(), Site: testSite, URL: fmt.Sprint("https://shop.example/live/", n%20), Kind: heatmap.KindClick, X: uint16(n % 1000), Y: 8}
			if _, err := j.Append([]heatmap.Batch{{Site: testSite, Hits: []heatmap.Hit{hit}}}); err != nil {
				fmt.Println("error:", err)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if plan == "start" {
		if _, err := g.Start(context.Background(), heatmap.Replay{}); err != nil {
			return err
		}
	}
	said := make(map[string]heatmap.State)
	for {
		list := g.List()
		for _, v := range list {
			if said[v.ID] != v.State {
				said[v.ID] = v.State
				fmt.Println(v.ID, v.State)
			}
			if plan == "switch" && v.State == heatmap.StateReady {
				if err := g.Activate(context.Background(), v.ID); err == nil {
					fmt.Println("switched")
				}
			}
			if plan == "drop" && v.State == heatmap.StateRetired {
				if err := g.Drop(context.Background(), v.ID); err != nil {
					return err
				}
				fmt.Println("dropping")
			}
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// killAt runs a child until it prints one of some lines, and kills it.
func killAt(t *testing.T, dir, uri, plan string, lines ...string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childFolder+"="+dir, childStore+"="+uri, childPlan+"="+plan)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := false
	said := bufio.NewScanner(out)
	for !found && said.Scan() {
		if text := said.Text(); strings.HasPrefix(text, "error:") {
			t.Error(text)
		}
		found = slices.Contains(lines, said.Text())
	}
	_ = cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if !found {
		t.Fatalf("the process never said any of %q", lines)
	}
}

// TestKillEveryState ends a process with kill -9 in every state of a generation, in the switch and in a drop, while hits arrive.
// Each start goes on from there, and in the end the blobs and counts of both generations are equal.
func TestKillEveryState(t *testing.T) {
	row := journaltest.Begin(t, rowName(t, "kill -9 in every state of a generation"), 8, 0)
	defer row.Done(8)
	dir, uri := t.TempDir(), newDatabase(t)
	h := newHouse(t)
	if err := h.journal.Close(); err != nil {
		t.Fatal(err)
	}
	h.dir = filepath.Join(dir, "journal")
	h.openJournal()
	h.fill(2000)
	if err := h.journal.Close(); err != nil {
		t.Fatal(err)
	}
	killAt(t, dir, uri, "start", "g2 building")
	states := []string{"g2 building", "g2 catching-up", "g2 verifying", "g2 ready"}
	for i := range states {
		killAt(t, dir, uri, "", states[i:]...) // a kill that comes late may find it further on
	}
	killAt(t, dir, uri, "switch", "switched")
	killAt(t, dir, uri, "", "g2 active")

	compare := func() {
		t.Helper()
		g, j, s, err := openFolder(dir, uri, Options{})
		if err != nil {
			t.Fatal(err)
		}
		h.g, h.journal, h.store = g, j, &sickStore{Store: s}
		h.awaitAll()
	}
	compare()
	if r := h.g.snapshot(); r.Active != "g2" || r.Previous != "g1" || r.find("g1").State != heatmap.StateRetired {
		t.Errorf("after the switch: %+v", r)
	}
	h.close()
	h.same("g1", "g2")
	closeFolder(t, h)

	killAt(t, dir, uri, "drop", "dropping")
	compare()
	h.awaitGone("g1")
	if r := h.g.snapshot(); r.Active != "g2" || len(r.Generations) != 1 || r.Previous != "" {
		t.Errorf("after the drop: %+v", r)
	}
	h.close()
	closeFolder(t, h)
}

func closeFolder(t *testing.T, h *house) {
	t.Helper()
	if err := h.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Store.(closingStore).Close(); err != nil {
		t.Fatal(err)
	}
}
