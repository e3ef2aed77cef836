//go:build clockshift

package mono

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// shift makes this process's CLOCK_MONOTONIC another host's: it is ahead by a
// time, and gains on the real one.
type shift struct {
	by, ppm int64
	text    string
}

// newShift reads HDBENCH_CLOCK_SHIFT: "3s", or "3s,10000ppm" for a clock that
// also runs 1 % fast.
func newShift() shift {
	s := shift{text: os.Getenv("HDBENCH_CLOCK_SHIFT")}
	if s.text == "" {
		return s
	}
	by, gain, gains := strings.Cut(s.text, ",")
	d, err := time.ParseDuration(by)
	if err == nil && gains {
		_, err = fmt.Sscanf(gain, "%dppm", &s.ppm)
	}
	if err != nil {
		panic("HDBENCH_CLOCK_SHIFT: " + err.Error())
	}
	s.by = int64(d)
	return s
}

func (s shift) of(ns int64) int64 { return ns + s.by + ns/1_000_000*s.ppm }

func (s shift) String() string { return s.text }
