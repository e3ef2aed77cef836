package scenarios

import (
	"slices"
	"testing"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/results"
)

// What a dry run foretells of a configuration's trials is what they are marked with.
func TestOversubscriptionIsForetold(t *testing.T) {
	for name, c := range map[string]struct {
		split   Split
		workers []int
		want    []string
	}{
		"enough":           {Split{cpu.Of(0, 1), cpu.Of(2)}, []int{1, 2}, nil},
		"shared":           {Split{cpu.Of(0, 1), cpu.Of(1, 2)}, []int{1}, []string{"On this host every trial will be marked oversubscribed: relay and client share CPU 1. Give them CPUs of their own (cpus), or a host each."}},
		"too many workers": {Split{cpu.Of(0), cpu.Of(1)}, []int{1, 2, 4}, []string{"On this host every trial of these will be marked oversubscribed, with more workers than the relay has CPUs (0): hd tcp 2 workers, hd tcp 4 workers."}},
	} {
		t.Run(name, func(t *testing.T) {
			var cs []Configuration
			for _, n := range c.workers {
				config := results.Config{Relay: results.RelayHD, Transport: "tcp", Workers: n}
				cs = append(cs, Configuration{Config: config})
				found := results.Judge(&results.Trial{
					Kind: results.KindTrial, Point: results.Point{Config: config}, Load: new(measure.Load), Relay: new(measure.Relay),
					RelayHost: "h", ClientHost: "h", RelayCPUs: c.split.Relay.String(), ClientCPUs: c.split.Client.String(),
				})
				marked := slices.ContainsFunc(found, func(f results.Finding) bool { return f.Code == results.Oversubscribed })
				foretold := len(oversubscribed(c.split, cs[len(cs)-1:])) > 0
				if marked != foretold {
					t.Errorf("%d workers: marked %v, foretold %v", n, marked, foretold)
				}
			}
			if got := oversubscribed(c.split, cs); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
