//go:build clockshift

package mono

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// shift makes this process's CLOCK_MONOTONIC another host's: it is ahead by a
// time, and from some moment on by another.
type shift struct {
	by, step, at int64
	text         string
}

// newShift reads HDBENCH_CLOCK_SHIFT: "3s", or "3s,50ms@123456789" to be ahead by
// 50 ms more from when the real clock shows so many nanoseconds.
func newShift() shift {
	s := shift{text: os.Getenv("HDBENCH_CLOCK_SHIFT")}
	if s.text == "" {
		return s
	}
	by, step, stepped := strings.Cut(s.text, ",")
	s.by = parse(by)
	if stepped {
		step, at, _ := strings.Cut(step, "@")
		s.step = parse(step)
		if _, err := fmt.Sscan(at, &s.at); err != nil {
			panic("HDBENCH_CLOCK_SHIFT: " + err.Error())
		}
	}
	return s
}

func parse(text string) int64 {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic("HDBENCH_CLOCK_SHIFT: " + err.Error())
	}
	return int64(d)
}

func (s shift) of(ns int64) int64 {
	if s.step != 0 && ns >= s.at {
		ns += s.step
	}
	return ns + s.by
}

func (s shift) String() string { return s.text }
