package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/journal/journaltest"
)

// TestFaultDiskFull fills the disk of the whole data folder, of the journal and of the store under load. Without room
// for the journal hits are refused with 503 and Retry-After and queries go on; without room for the store hits are
// acknowledged and answers name their lag. With room again everything goes on by itself, and nothing is lost or doubled.
func TestFaultDiskFull(t *testing.T) {
	t.Parallel()
	disks := []struct{ disk, on, ack string }{
		{"tmpfs", "", "sync"}, {"ext4", "", "sync"}, {"ext4", "", "write"},
		{"ext4", "journal", "sync"}, {"tmpfs", "journal", "write"}, {"ext4", "store", "sync"}, {"tmpfs", "store", "write"},
	}
	row := journaltest.Begin(t, "disk full", len(disks)*journaltest.Times(1, 40), 0)
	for _, c := range disks {
		t.Run(fmt.Sprintf("%s/data %s/%s", c.disk, c.on, c.ack), func(t *testing.T) { diskFull(t, row, c.disk, c.on, c.ack) })
	}
}

func diskFull(t *testing.T, row *journaltest.Row, disk, on, ack string) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	small := filepath.Join(data, on)
	if disk == "tmpfs" {
		mountTmpfs(t, small, "64m")
	} else {
		makeImage(t, filepath.Join(dir, "image"), 64<<20)
		mountImage(t, small, filepath.Join(dir, "image"))
	}
	flags := []string{"--ack", ack, "--flush-every", "100ms", "--cache-bytes", "1MiB"}
	p := startServer(t, data, flags...)
	l := newFaultLoad(t, p)
	l.start()
	var took, resumed []time.Duration
	refused := 0
	asks := l.askAlong(p)
	for range journaltest.Times(1, 40) {
		l.waitAcks(200)
		l.takeRefusals()
		f := fill(t, small)
		if on == "store" {
			l.waitAcks(200) // the collector goes on
			waitNotReady(t, p, "store")
		} else {
			time.Sleep(700 * time.Millisecond)
		}
		refusals := l.takeRefusals()
		refused += len(refusals)
		for _, r := range refusals {
			took = append(took, r.took)
		}
		begin := time.Now()
		if err := f.free(); err != nil {
			t.Fatal(err)
		}
		if on != "store" {
			l.waitAcks(1)
			resumed = append(resumed, time.Since(begin))
		}
		waitReady(t, p)
		row.Done(1)
	}
	asks.end()
	l.end()
	known := l.ledger()
	row.Violated(l.check(p, known))
	p.Kill()
	p = startServer(t, data, flags...)
	row.Violated(l.check(p, known))
	p.Stop()
	if on == "store" && refused > 0 {
		t.Errorf("%d batches were refused while only the store had no room", refused)
	}
	if on != "store" && (refused == 0 || slices.Max(resumed) > 5*time.Second) {
		t.Errorf("%d batches were refused; ingest went on after %v", refused, resumed)
	}
	row.Found("%s, data %s, %s: %d batches acknowledged, %d refused, median %v; went on after %v in the middle; %d queries, worst %v, lag up to %d hits",
		disk, on, ack, known.count(), refused, middle(took), middle(resumed), asks.asked, asks.worst, asks.lag)
}

// middle is the median of times, 0 of none.
func middle(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2].Round(time.Microsecond)
}

// ready gives the status and text of /readyz.
func (p *process) ready() (int, string) {
	p.T.Helper()
	status, body := p.Request("GET", "/readyz", nil, nil, nil)
	return status, string(body)
}

// waitReady waits until the server says that it is ready.
func waitReady(t *testing.T, p *process) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		status, text := p.ready()
		if status == 200 {
			return
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("not ready after 30 s: %s\n%s", text, p.Log)
		}
	}
}

// waitNotReady waits until the server says that it is not, and why.
func waitNotReady(t *testing.T, p *process, why string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		status, text := p.ready()
		if status == 503 && strings.Contains(text, why) {
			return
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("ready after 30 s without %s: %d %s\n%s", why, status, text, p.Log)
		}
	}
}
