package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run runs a command; the error has what it said.
func runCommand(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, errors.New(name + " " + strings.Join(args, " ") + ": " + err.Error() + ": " + text)
	}
	return text, nil
}

// mountOn mounts something on a folder, which is made, until the test ends. Where that cannot be done the test is skipped
// with the reason.
func mountOn(t *testing.T, dir string, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("mounting needs root, this is user %d", os.Geteuid())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := runCommand("mount", append(args, dir)...); err != nil {
		t.Skipf("no mount to be had here: %v", err)
	}
	t.Cleanup(func() { unmount(t, dir) })
}

// unmount takes a folder's mount away if there is one. It is busy for a moment after the process in it was killed.
func unmount(t *testing.T, dir string) {
	t.Helper()
	var err error
	for range 100 {
		if !isMounted(dir) {
			return
		}
		if _, err = runCommand("umount", dir); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("unmount: %v", err)
}

func isMounted(dir string) bool {
	var here, above syscall.Stat_t
	if syscall.Stat(dir, &here) != nil || syscall.Stat(filepath.Dir(dir), &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}

// mountTmpfs mounts a file system in memory.
func mountTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	mountOn(t, dir, "-t", "tmpfs", "-o", "size="+size, "tmpfs")
}

// makeImage makes a file with an ext4 file system in it.
func makeImage(t *testing.T, image string, bytes int64) {
	t.Helper()
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(bytes), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runCommand("mkfs.ext4", "-q", "-F", "-m", "0", image); err != nil {
		t.Skipf("no ext4 image to be had here: %v", err)
	}
}

// mountImage mounts an image of a file system over a loop device.
func mountImage(t *testing.T, dir, image string) {
	t.Helper()
	mountOn(t, dir, "-o", "loop,errors=remount-ro", image)
}

// filler takes all room of a file system and keeps taking what becomes free, until free gives everything back.
type filler struct {
	file *os.File
	stop chan struct{}
	done chan struct{}
}

// fill takes the room in a folder.
func fill(t *testing.T, dir string) *filler {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	f := &filler{file, make(chan struct{}), make(chan struct{})}
	f.take()
	go func() {
		defer close(f.done)
		for {
			select {
			case <-f.stop:
				return
			case <-time.After(5 * time.Millisecond):
				f.take()
			}
		}
	}()
	return f
}

// take writes until there is no room for a byte.
func (f *filler) take() {
	block := make([]byte, 1<<20)
	for n := len(block); n > 0; {
		if _, err := f.file.Write(block[:n]); err != nil {
			n /= 4
		}
	}
	_ = f.file.Sync() // ext4 finds out late
}

// free gives the room back.
func (f *filler) free() error {
	close(f.stop)
	<-f.done
	return errors.Join(f.file.Truncate(0), f.file.Close(), os.Remove(f.file.Name()))
}
