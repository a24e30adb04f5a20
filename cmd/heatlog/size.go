package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes that people write with a unit.
type byteSize int64

// byteUnits are the suffixes of a byteSize, longest first.
var byteUnits = [...]struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1}, {"", 1},
}

// UnmarshalText reads 65536, 64KiB, 64MiB, 1.5GiB, 64MB (decimal) or 64m (binary), in any case.
func (s *byteSize) UnmarshalText(text []byte) error {
	lower := strings.ToLower(strings.TrimSpace(string(text)))
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(lower, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0 && n*u.bytes < math.MaxInt64) {
			break
		}
		*s = byteSize(n * u.bytes)
		return nil
	}
	return fmt.Errorf("parse size %q: want a number of bytes with a unit, as in 64MiB", text)
}

// String gives the size in the largest unit of 1024 that leaves at least 1.
func (s byteSize) String() string {
	switch {
	case s >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(s)/(1<<30))
	case s >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(s)/(1<<20))
	case s >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(s)/(1<<10))
	}
	return fmt.Sprintf("%d B", int64(s))
}
