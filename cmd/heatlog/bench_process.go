package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The cores that server and load run on where taskset and two cores are there.
const (
	serverCore = "0"
	loadCore   = "1"
)

// canPin reports whether processes can be bound to cores.
func canPin() bool {
	_, err := exec.LookPath("taskset")
	return err == nil && runtime.GOOS == "linux" && runtime.NumCPU() >= 2
}

// pinSelf binds all threads of this process to the load's core, and gives the way back.
func pinSelf() (undo func(), err error) {
	if !canPin() {
		return func() {}, nil
	}
	pid := strconv.Itoa(os.Getpid())
	if err := exec.Command("taskset", "-a", "-c", "-p", loadCore, pid).Run(); err != nil {
		return nil, fmt.Errorf("bind load to core %s: %w", loadCore, err)
	}
	procs := runtime.GOMAXPROCS(2) // a load that waits in the system must not hold up who asks meanwhile
	return func() {
		runtime.GOMAXPROCS(procs)
		_ = exec.Command("taskset", "-a", "-c", "-p", "0-"+strconv.Itoa(procs-1), pid).Run()
	}, nil
}

// child is a server process of this same program.
type child struct {
	cmd  *exec.Cmd
	base string // http://HOST:PORT
	log  *os.File
	done chan error
}

// startChild runs this program with args, bound to the server's core if pinned, and waits until it says where it
// listens.
func startChild(dir string, pinned bool, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	if pinned && canPin() {
		self, args = "taskset", append([]string{"-c", serverCore, self}, args...)
	}
	c := &child{cmd: exec.Command(self, args...), done: make(chan error, 1)}
	if c.log, err = os.CreateTemp(dir, "log"); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	c.cmd.Stderr = c.log
	endWithBench(c.cmd)
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start server: %w", err), c.log.Close())
	}
	lines := bufio.NewScanner(out)
	for c.base == "" && lines.Scan() {
		c.base, _ = strings.CutPrefix(lines.Text(), "heatlog listens on ")
		if !strings.HasPrefix(c.base, "http") {
			c.base = ""
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		c.done <- c.cmd.Wait()
	}()
	if c.base == "" {
		return nil, errors.Join(errors.New("server ended at start: "+c.logged()), c.stop())
	}
	return c, nil
}

// logged is the end of what the server logged.
func (c *child) logged() string {
	b, err := os.ReadFile(c.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// address is the server's HOST:PORT.
func (c *child) address() string {
	u, err := url.Parse(c.base)
	if err != nil {
		return c.base
	}
	return u.Host
}

// stop ends the server as an operator does.
func (c *child) stop() error {
	defer c.log.Close()
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("server ended: %w: %s", err, c.logged())
		}
		return nil
	case <-time.After(3 * stopTimeout):
		return errors.Join(errors.New("server does not stop"), c.cmd.Process.Kill())
	}
}

// cpuTime is the time that the process has spent on cores so far, 0 where the system does not say.
func (c *child) cpuTime() time.Duration { return cpuTime(c.cmd.Process.Pid) }

// cpuTick is the unit of processes' times: USER_HZ is 100 on Linux.
const cpuTick = 10 * time.Millisecond

func cpuTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * cpuTick
}

// peakRSS is the most memory that the process has held, bytes, 0 where the system does not say.
func (c *child) peakRSS() int64 { return peakRSS(c.cmd.Process.Pid) }

func peakRSS(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
