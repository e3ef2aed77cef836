// Package cpu places threads on CPUs: CPU lists as users write them, and the
// calling thread's affinity.
package cpu

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"k8s.io/utils/cpuset"
)

// Set is a set of CPU numbers; its String is the kernel's list format ("0-3,8").
type Set = cpuset.CPUSet

// Of is the set of the CPUs listed.
func Of(cpus ...int) Set { return cpuset.New(cpus...) }

// ParseList reads a CPU list ("0-3,8") and checks it against the CPUs this
// process may use. The empty string means all of those.
func ParseList(s string) (Set, error) {
	avail, err := Available()
	if err != nil || s == "" {
		return avail, err
	}
	set, err := Parse(s)
	if err != nil {
		return Set{}, err
	}
	if bad := set.Difference(avail); !bad.IsEmpty() {
		return Set{}, fmt.Errorf("CPU list %q: CPU %s is not available to this process (it may use %s)", s, bad, avail)
	}
	return set, nil
}

// maxCPU is the highest CPU number a list may have: eight times what Linux can be
// built for (CONFIG_NR_CPUS), and few enough that any range is a set at once.
const maxCPU = 1<<16 - 1

// Parse reads a CPU list without asking whether its CPUs are there.
func Parse(s string) (Set, error) {
	for _, number := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '-' }) {
		if n, err := strconv.Atoi(number); err == nil && n > maxCPU {
			return Set{}, fmt.Errorf("CPU list %q: CPU %d is not available: no machine has more than %d", s, n, maxCPU+1)
		}
	}
	set, err := cpuset.Parse(s)
	if err != nil {
		return Set{}, fmt.Errorf("CPU list %q: want numbers and ranges such as 0-3,8: %w", s, err)
	}
	return set, nil
}

// Available is the set of CPUs this process may run on.
func Available() (Set, error) {
	var m unix.CPUSet
	if err := unix.SchedGetaffinity(0, &m); err != nil {
		return Set{}, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var cpus []int
	for i, n := 0, m.Count(); len(cpus) < n; i++ {
		if m.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpuset.New(cpus...), nil
}

// Pin binds the calling thread to the set. The caller has locked its goroutine
// to the thread.
func Pin(set Set) error {
	var m unix.CPUSet
	for _, c := range set.List() {
		m.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &m); err != nil {
		return fmt.Errorf("pin thread to CPU %s: %w", set, err)
	}
	return nil
}
