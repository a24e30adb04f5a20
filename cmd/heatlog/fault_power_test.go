package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"heatlog/journal/journaltest"
)

// TestFaultPowerCut cuts the power again and again: the data folder is on an ext4 image that lies on a file system which
// can clone a file at once. A clone holds what had reached the disk at one instant; what was in the memory of the system
// is not in it. A server on the clone must count every batch that was acknowledged with --ack sync before the cut began,
// and no batch twice. The load goes on through all cuts.
func TestFaultPowerCut(t *testing.T) {
	t.Parallel()
	cuts, seed := journaltest.Times(20, 500), journaltest.Seed(t, 0)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	pool := filepath.Join(dir, "pool")
	kind := mountPool(t, dir, pool)
	row := journaltest.Begin(t, "power cuts", cuts, seed)
	acked, slowest := 0, time.Duration(0)
	const each = 20 // cuts of one data folder: to count takes the longer the more there is
	for done := 0; done < cuts && !t.Failed(); done += each {
		a, s := cutPower(t, row, pool, min(each, cuts-done), random)
		acked, slowest = acked+a, max(slowest, s)
	}
	row.Found("ext4 on %s, %d batches of %d hits acknowledged, cloning took at most %v", kind, acked, hitsPerBatch, slowest)
}

// cutPower cuts the power of one data folder again and again.
func cutPower(t *testing.T, row *journaltest.Row, pool string, cuts int, random *rand.Rand) (acked int, slowest time.Duration) {
	t.Helper()
	dir := t.TempDir()
	live, cut, image, clone := filepath.Join(dir, "live"), filepath.Join(dir, "cut"), filepath.Join(pool, "image"), filepath.Join(pool, "clone")
	makeImage(t, image, 512<<20)
	mountImage(t, live, image)
	flags := []string{"--flush-every", "100ms", "--cache-bytes", "1MiB"}
	p := startServer(t, filepath.Join(live, "data"), flags...)
	l := newFaultLoad(t, p)
	l.start()
	for n := range cuts {
		l.waitAcks(20)
		time.Sleep(time.Duration(random.Int64N(int64(150 * time.Millisecond))))
		known := l.ledger()
		begin := time.Now()
		if out, err := runCommand("cp", "--reflink=always", image, clone); err != nil {
			t.Fatal(out, err)
		}
		slowest = max(slowest, time.Since(begin))
		mountImage(t, cut, clone)
		q := startServer(t, filepath.Join(cut, "data"), flags...)
		if bad := l.check(q, known); bad > 0 {
			row.Violated(bad)
			t.Errorf("cut %d: %d violations, %d batches acknowledged\n%s", n, bad, known.count(), q.logTail())
		}
		q.Kill()
		unmount(t, cut)
		row.Done(1)
	}
	l.end()
	row.Violated(l.check(p, l.ledger()))
	p.Stop()
	unmount(t, live)
	return l.ledger().count(), slowest
}

// mountPool mounts a file system that can clone files on pool, from an image in dir, and gives its kind. It is skipped
// where the system cannot make or mount one.
func mountPool(t *testing.T, dir, pool string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skipf("mounting needs root, this is user %d", os.Getuid())
	}
	image := filepath.Join(dir, "pool.img")
	var why error
	for _, mkfs := range [][]string{{"xfs", "-q", "-m", "reflink=1"}, {"btrfs", "-q", "-f"}} {
		kind := mkfs[0]
		if _, err := exec.LookPath("mkfs." + kind); err != nil {
			why = errors.Join(why, err)
			continue
		}
		f, err := os.Create(image)
		if err == nil {
			err = errors.Join(f.Truncate(2<<30), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err = runCommand("mkfs."+kind, append(mkfs[1:], image)...); err == nil {
			mountOn(t, pool, "-o", "loop", image)
			return kind
		}
		why = errors.Join(why, err)
	}
	t.Skipf("no file system that clones files is to be had here: %v", why)
	return ""
}
