package scenarios

import (
	"fmt"
	"slices"

	"hdbench/internal/cpu"
	"hdbench/results"
)

// Split is which CPUs each side has.
type Split struct{ Relay, Client cpu.Set }

// splitCPUs shares a host's CPUs between relay and client, by physical cores so
// that no core works for both: half each, an odd one to the client, who has more
// to do. A host with one core is shared, and every trial on it marked.
func splitCPUs(cores []cpu.Set) Split {
	var s Split
	if len(cores) == 1 {
		return Split{cores[0], cores[0]}
	}
	for i, c := range cores {
		if i < len(cores)/2 {
			s.Relay = s.Relay.Union(c)
		} else {
			s.Client = s.Client.Union(c)
		}
	}
	return s
}

// fitCPUs chooses the CPU sets: the scenario's where it names them, else by
// splitting the host's cores.
func fitCPUs(want CPUs, cores []cpu.Set) (Split, error) {
	all := cpu.Of()
	for _, c := range cores {
		all = all.Union(c)
	}
	s := splitCPUs(cores)
	for _, side := range []struct {
		name string
		list string
		set  *cpu.Set
	}{{"relay", want.Relay, &s.Relay}, {"client", want.Client, &s.Client}} {
		if side.list == "" {
			continue
		}
		set, err := cpu.Parse(side.list)
		if err != nil {
			return s, fmt.Errorf("cpus.%s: %w", side.name, err)
		}
		if missing := set.Difference(all); !missing.IsEmpty() {
			return s, fmt.Errorf("cpus.%s: the host has no CPU %s to give (it has %s)", side.name, missing, all)
		}
		*side.set = set
	}
	// With one side given, the other takes what is left.
	if want.Relay != "" && want.Client == "" {
		if rest := all.Difference(s.Relay); !rest.IsEmpty() {
			s.Client = rest
		}
	}
	if want.Client != "" && want.Relay == "" {
		if rest := all.Difference(s.Client); !rest.IsEmpty() {
			s.Relay = rest
		}
	}
	return s, nil
}

// autoWorkers are the worker counts for n CPUs: one, all, and half of them.
// derper has one setting, all.
func autoWorkers(relay string, n int) []int {
	if relay == results.RelayDerper {
		return []int{n}
	}
	counts := []int{1, n / 2, n}
	counts = slices.DeleteFunc(counts, func(c int) bool { return c < 1 })
	slices.Sort(counts)
	return slices.Compact(counts)
}
