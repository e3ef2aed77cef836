//go:build clockshift

package mono

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// shift makes this process's CLOCK_MONOTONIC another host's: it is ahead by a
// time, and gains on the real one, or steps.
type shift struct {
	by, ppm  int64
	step, at int64 // by how much, and when the real clock shows what
	text     string
}

// newShift reads HDBENCH_CLOCK_SHIFT: "3s"; "3s,10000ppm" for a clock that also
// runs 1 % fast; "3s,50ms@123456789" for one that jumps by 50 ms when the real
// clock shows so many nanoseconds.
func newShift() shift {
	s := shift{text: os.Getenv("HDBENCH_CLOCK_SHIFT")}
	if s.text == "" {
		return s
	}
	by, gain, gains := strings.Cut(s.text, ",")
	d, err := time.ParseDuration(by)
	if step, at, steps := strings.Cut(gain, "@"); err == nil && steps {
		var by time.Duration
		if by, err = time.ParseDuration(step); err == nil {
			s.step = int64(by)
			_, err = fmt.Sscan(at, &s.at)
		}
	} else if err == nil && gains {
		_, err = fmt.Sscanf(gain, "%dppm", &s.ppm)
	}
	if err != nil {
		panic("HDBENCH_CLOCK_SHIFT: " + err.Error())
	}
	s.by = int64(d)
	return s
}

func (s shift) of(ns int64) int64 {
	shown := ns + s.by + ns/1_000_000*s.ppm
	if s.step != 0 && ns >= s.at {
		shown += s.step
	}
	return shown
}

func (s shift) String() string { return s.text }
