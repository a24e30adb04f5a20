package main

import (
	"os/exec"
	"syscall"
)

// endWithBench has the system kill a child when the bench is killed.
func endWithBench(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
