package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// goTest runs go test and passes on its output line by line.
func (r *run) goTest(ctx context.Context, each func(line string), args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-timeout=0"}, args...)...)
	cmd.Env = os.Environ()
	if r.seed != "" {
		cmd.Env = append(cmd.Env, "HEATLOG_SEED="+r.seed)
	}
	// Ctrl-C reaches this program alone; it passes the signal on to all that it started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 20 * time.Second
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			each(lines.Text())
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	err := cmd.Wait()
	w.Close()
	<-read
	return err
}
