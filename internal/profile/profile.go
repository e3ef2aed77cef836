// Package profile finds out where a process spends its CPU time: it samples the
// call stacks of all its threads and descendants, in the kernel and in user space,
// gives the addresses names and the stacks categories.
//
// In goes a process and a rules file; out come a measure.Profile (shares by
// category and by function), a pprof profile and folded stacks, all three of the
// same samples. Sampling is perf_event_open(2)'s: cycles where there is a PMU,
// else cpu-clock, and which of the two is said. Names come from /proc/kallsyms and
// from the ELF files that are mapped, of Go, C and C++.
//
// It never guesses: an address without a name is unresolved, a stack that no rule
// knows is unknown, a sample the kernel had no place for is lost, and all are
// counted. Where sampling is not permitted it is an error that says what is missing
// (perf.ErrNotPermitted), and never a profile of one half.
package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

// DefaultFrequency is how often a busy CPU is sampled, in Hz: a prime, so that it
// does not walk in step with what happens every millisecond.
const DefaultFrequency = 997

// MaxFrequency is the highest that may be asked for; the kernel's own limit
// (kernel.perf_event_max_sample_rate) may be lower, and its error says so.
const MaxFrequency = 20_000

// Config says what is sampled, and how often.
type Config struct {
	PID         int
	FrequencyHz int // 0: DefaultFrequency
}

// ErrNoProcess means that there is no process of that number.
var ErrNoProcess = errors.New("no such process")

// ErrIdle means that a process was never found running.
var ErrIdle = errors.New("nothing was sampled: the process was idle")

// Check finds what is wrong with a configuration, whatever is running.
func (c Config) Check() error {
	if c.FrequencyHz < 0 || c.FrequencyHz > MaxFrequency {
		return fmt.Errorf("sampling frequency %d Hz: want 1 to %d", c.FrequencyHz, MaxFrequency)
	}
	return nil
}

func (c *Config) prepare() error {
	if err := c.Check(); err != nil {
		return err
	}
	if c.FrequencyHz == 0 {
		c.FrequencyHz = DefaultFrequency
	}
	if c.PID < 1 {
		return fmt.Errorf("process %d: %w", c.PID, ErrNoProcess)
	}
	if _, err := probe.CPUTime(c.PID); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d: %w", c.PID, ErrNoProcess)
	}
	return nil
}

// Profile is a profile with all its stacks.
type Profile struct {
	Summary measure.Profile
	Stacks  []Stack // heaviest first

	began  time.Time
	files  []*elfFile
	period uint64 // of the event, between two samples; 0: varies
}

// Stack is one call stack with names.
type Stack struct {
	Frames   []Frame // innermost first; of the kernel, then of user space
	Category string
	Kernel   bool // the category is of the kernel
	PID, TID int
	Thread   string
	Samples  uint64
	Weight   uint64
}

// Frame is one function of a stack.
type Frame struct {
	Addr   uint64
	Name   string // empty: not known
	Module string // file name of the binary or library; kernel, or [module]; vdso
	Kernel bool
	file   *elfFile // nil: of no file
	own    bool     // of the binary that the process was started from
}

// Text is the frame's name, or what is known in its place.
func (f Frame) Text() string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Module != "":
		return "unresolved in " + f.Module
	case f.Kernel:
		return "unresolved in the kernel"
	}
	return "unresolved"
}

// Run samples a process for a time and names what was found. When ctx ends sooner
// the profile is of the time until then.
func Run(ctx context.Context, c Config, d time.Duration, rules *Rules) (*Profile, error) {
	s, err := Open(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Start(); err != nil {
		return nil, err
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	case <-s.gone():
	}
	if err := s.Stop(); err != nil {
		return nil, err
	}
	return s.Resolve(rules)
}
