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

// Max is how many CPUs a list may have: the most that a Linux kernel can be built
// for on x86 (CONFIG_NR_CPUS with MAXSMP). A list comes from users, records and
// other hosts, and is expanded into a set: without a bound, a few characters would
// take all memory.
const Max = 8192

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

// Parse reads a CPU list without asking whether its CPUs are there. A list with
// more than Max CPUs, or with a CPU that no kernel has, is an error.
func Parse(s string) (Set, error) {
	if err := checkSize(s); err != nil {
		return Set{}, err
	}
	set, err := cpuset.Parse(s)
	if err != nil {
		return Set{}, fmt.Errorf("CPU list %q: want numbers and ranges such as 0-3,8: %w", s, err)
	}
	return set, nil
}

// checkSize finds a list that is too large to be expanded. What is no list is left
// to the parser.
func checkSize(s string) error {
	total := 0
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || first > last {
			continue
		}
		if last >= Max {
			return fmt.Errorf("CPU list %s: there is no CPU %d: Linux has CPUs 0-%d at most", shorten(s), last, Max-1)
		}
		if total += last - first + 1; total > Max {
			return fmt.Errorf("CPU list %s: it names more than %d CPUs, the most that Linux has", shorten(s), Max)
		}
	}
	return nil
}

// shorten quotes a list for an error.
func shorten(s string) string {
	const most = 100
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
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
