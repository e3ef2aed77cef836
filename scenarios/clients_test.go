package scenarios

import (
	"testing"

	"hdbench/internal/measure"
	"hdbench/results"
)

// Flows are spread evenly, so the first host at its limit spoils the load.
func TestClientsLimitIsThatOfTheFirstHost(t *testing.T) {
	one := &results.Trial{Load: &measure.Load{DeliveredBps: 9e9}}
	if l := limitOf(one); l.all != 9e9 || l.hosts != nil {
		t.Errorf("one client: %+v", l)
	}
	many := &results.Trial{Load: &measure.Load{DeliveredBps: 30e9, Hosts: []measure.ClientHost{
		{Agent: "a", LimitBps: 20e9}, {Agent: "b", LimitBps: 6e9}, {Agent: "c", LimitBps: 25e9},
	}}}
	if l := limitOf(many); l.all != 6e9 || l.hosts["c"] != 25e9 || len(l.hosts) != 3 {
		t.Errorf("three clients: %+v", l)
	}
}
