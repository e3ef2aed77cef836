package results

import (
	"fmt"
	"strings"
	"testing"

	"hdbench/internal/units"
)

func TestCeilings(t *testing.T) {
	points, err := Points(sampleSet().Trials)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Ceiling{}
	for _, c := range Ceilings(points) {
		by[fmt.Sprint(c.Config.Relay, c.Config.Transport, c.Config.Workers)] = c
	}
	if c := by["hdtcp1"]; c.At == nil || c.At.Point.Offered != 9*units.Gbps || c.AtLeast {
		t.Errorf("hd with one worker: %+v; want 7200 at 9 Gbps, and no more", c)
	}
	if c := by["hdtcp2"]; c.At == nil || c.At.Point.Offered != 9*units.Gbps || !c.AtLeast || c.Limit.What != ByClient || c.Carried.Point.Offered != 5*units.Gbps {
		t.Errorf("hd with two workers: %+v; want at least 8000: there the client was at its limit, and a busy client makes no relay look better", c)
	}
	if c := by["derpertcp2"]; c.At == nil || c.At.Point.Offered != 5*units.Gbps || c.AtLeast {
		t.Errorf("derper: %+v; want its peak, not what is left of it under more load", c)
	}
	if c := by["hdktls1"]; c.At != nil || !strings.Contains(c.NA, "no kernel TLS") {
		t.Errorf("what cannot be measured: %+v", c)
	}
}
