package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// statxNumber is the number of the system call by architecture; package syscall has none.
var statxNumber = map[string]uintptr{
	"386": 383, "amd64": 332, "arm": 397, "arm64": 291, "loong64": 291, "ppc64le": 383, "riscv64": 291, "s390x": 379,
}

// statx is what statx(2) tells of a file.
type statx struct {
	mask, blockSize          uint32
	attributes               uint64
	links, user, group       uint32
	mode, _                  uint16
	inode                    uint64
	size, blocks, _          uint64
	_                        [2]uint64 // time of access
	birthSeconds             int64
	birthNanoseconds, _      uint32
	_                        [4]uint64 // times of change
	_, _, devMajor, devMinor uint32
	_                        [14]uint64
}

const (
	statxInode = 0x100
	statxBirth = 0x800
	atCWD      = -100
)

// folderPlace names a folder in a way that no copy of it has, and that stays when it is moved within its file system: by inode and time
// of birth. The error says why it cannot be had.
func folderPlace(dir string) (string, error) {
	number, ok := statxNumber[runtime.GOARCH]
	if !ok {
		return "", errors.New("not known for " + runtime.GOARCH)
	}
	path, err := syscall.BytePtrFromString(dir)
	if err != nil {
		return "", err
	}
	var st statx
	cwd := atCWD
	_, _, errno := syscall.Syscall6(number, uintptr(cwd), uintptr(unsafe.Pointer(path)), 0, statxInode|statxBirth, uintptr(unsafe.Pointer(&st)), 0)
	if errno != 0 {
		return "", os.NewSyscallError("statx", errno)
	}
	if st.mask&statxBirth == 0 || st.mask&statxInode == 0 {
		return "", errors.New("the file system keeps no time of birth")
	}
	return fmt.Sprintf("%d-%d.%09d", st.inode, st.birthSeconds, st.birthNanoseconds), nil
}

// bootID names the run of the system that this process is part of, "" if it is not known.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
