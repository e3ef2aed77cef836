package scenarios

import (
	"testing"

	"hdbench/internal/units"
)

func TestWhatAScenarioAsksOfHosts(t *testing.T) {
	for _, c := range []struct {
		name, yaml  string
		connections int
		rate        units.Rate
		buffer      units.Bytes
		ktls, cc    bool
	}{
		{"fixed", "load: {pairs: [4, 10], rate: [1Gbps, 3Gbps]}\nrelays: [{relay: hd}]", 20, 3 * units.Gbps, 128 << 10, false, false},
		{"one receiver", "load: {pattern: fan-in, pairs: 10, rate: max}\nrelays: [{relay: hd, transport: [tcp, ktls]}]", 11, 0, 128 << 10, true, false},
		{"found", "load: {pairs: 2, rate: auto, congestion: cubic}\nrelays: [{relay: hd, congestion: cubic, socket-buffer: 1MiB}]", 4, 0, 1 << 20, false, true},
		{"some choose", "load: {pairs: 2, rate: 50%, congestion: cubic}\nrelays: [{relay: hd, congestion: cubic, socket-buffer: system}, {relay: derper}]", 4, 0, 128 << 10, false, false},
		{"searched", "load: {pairs: 2, search: ndr-pdr}\nrelays: [{relay: hd}]", 4, 0, 128 << 10, false, false},
	} {
		sc, err := Parse(c.name, []byte("name: x\nmeasure: 1s\n"+c.yaml+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		got := sc.fitness()
		if got.Connections != c.connections || got.Rate != c.rate || got.SocketBuffer != c.buffer || got.KTLS != c.ktls || got.Congestion != c.cc {
			t.Errorf("%s: %+v", c.name, got)
		}
		if (got.Rate == 0) != (got.RateWhy != "") {
			t.Errorf("%s: rate %v, why not: %q", c.name, got.Rate, got.RateWhy)
		}
	}
}
