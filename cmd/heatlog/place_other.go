//go:build !linux

package main

import "errors"

// folderPlace names a folder in a way that no copy of it has, which only Linux can.
func folderPlace(string) (string, error) { return "", errors.New("not known on this system") }

// bootID names the run of the system, which only Linux does.
func bootID() string { return "" }
