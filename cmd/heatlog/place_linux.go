package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// folderPlace names a folder in a way that no copy of it has, and that stays when it is moved within its file system: by inode and time
// of birth. The error says why it cannot be had.
func folderPlace(dir string) (string, error) {
	const want = unix.STATX_INO | unix.STATX_BTIME
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, want, &st); err != nil {
		return "", os.NewSyscallError("statx", err)
	}
	if st.Mask&want != want {
		return "", errors.New("the file system keeps no time of birth")
	}
	return fmt.Sprintf("%d-%d.%09d", st.Ino, st.Btime.Sec, st.Btime.Nsec), nil
}

// bootID names the run of the system that this process is part of, "" if it is not known.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
