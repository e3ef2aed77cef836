package doctor

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/units"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorded is the fingerprint of one of probe's recorded hosts.
func recorded(t *testing.T, name string) *measure.Fingerprint {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "probe", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	f := new(measure.Fingerprint)
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
	return f
}

func set(t *testing.T, list string) cpu.Set {
	t.Helper()
	s, err := cpu.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// quiet are readings of a host that does nothing else.
func quiet() *measure.Readings {
	return &measure.Readings{
		CPUs:  map[int]measure.CPUShare{0: {Busy: 0.01}, 1: {Busy: 0.02}},
		Load1: 0.1, SinceBoot: measure.CPUShare{Busy: 0.4, Steal: 0.0002},
		Clock: measure.ClockReading{Synchronised: true, MaxErrorNS: 2e6},
		Route: measure.Route{To: "127.0.0.1", Device: "lo", Source: "127.0.0.1", Local: true},
	}
}

// here is a case of relay and client on one host of two CPUs.
func here(t *testing.T) Case {
	return Case{Relay: true, Client: true, RelayCPUs: set(t, "0"), ClientCPUs: set(t, "1"), Hosts: 1,
		Scenario: "quick", Connections: 20, RateWhy: "the rates are not known", SocketBuffer: 128 << 10}
}

func TestRecordedHosts(t *testing.T) {
	vm := measure.Host{Congestion: "bbr", Virtual: true, NoKTLS: "this kernel has no module tls", Fingerprint: recorded(t, "vm")}
	vmNow := quiet()
	vmNow.PMU, vmNow.Privileged, vmNow.Clock.Synchronised = "no PMU: the CPU shows this kernel no cycle counter", true, false
	vmNow.Missing = map[string]string{"throttled": "/sys/devices/system/cpu/cpu0/thermal_throttle is not there"}

	metal := measure.Host{Congestion: "cubic", Fingerprint: recorded(t, "xeon-e5-1650v3")}
	metalNow := quiet()
	metalNow.SwapUsedBytes, metalNow.Throttle = 128<<20, 7
	metalNow.Route = measure.Route{To: "10.50.0.1", Device: "lo", Local: true}
	metalCase := Case{Relay: true, RelayCPUs: set(t, "0-3"), Hosts: 2, Scenario: "haswell", Connections: 100, Rate: 24 * units.Gbps, SocketBuffer: 1 << 20, KTLS: true}

	box := measure.Host{Congestion: "cubic", Virtual: true, NoKTLS: "this kernel has no module tls", Fingerprint: recorded(t, "container")}
	boxNow := quiet()
	boxNow.CPUs, boxNow.PMU = nil, "perf_event_open is not permitted to this process"
	boxNow.Missing = map[string]string{"cpus": "/proc/stat has no times of CPUs", "throttled": "/sys is not there", "on_battery": "/sys is not there"}

	for name, got := range map[string][]measure.Verdict{
		"vm": Examine(vm, vmNow, here(t)), "xeon-e5-1650v3": Examine(metal, metalNow, metalCase), "container": Examine(box, boxNow, here(t)),
	} {
		var b bytes.Buffer
		for _, v := range got {
			fmt.Fprintf(&b, "%-4s %-14s %s\n", v.Verdict, v.Check, v.Value)
			if v.Mend != "" {
				fmt.Fprintf(&b, "%20s%s\n", "", v.Mend)
			}
		}
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: have\n%s", name, &b)
		}
	}
}

// A host that tells nothing has nothing wrong, and nothing right either, but what
// follows from the case alone.
func TestHostThatTellsNothing(t *testing.T) {
	vs := Examine(measure.Host{}, nil, here(t))
	if len(vs) != len(checks) {
		t.Fatalf("%d verdicts of %d checks", len(vs), len(checks))
	}
	for _, v := range vs {
		switch v.Check {
		case "shared-cpus":
			if v.Verdict != measure.Warn {
				t.Errorf("%+v", v)
			}
		case "route": // without one nothing can be measured
			if v.Verdict != measure.Fail {
				t.Errorf("%+v", v)
			}
		default:
			if v.Verdict != measure.Unknown || v.Value == "" {
				t.Errorf("%+v, want n/a with a reason", v)
			}
		}
	}
}

// What is wrong must say what mends it; what is not must not.
func TestEveryCheckIsWhole(t *testing.T) {
	names := Names()
	slices.Sort(names)
	if len(slices.Compact(names)) != len(checks) {
		t.Error("two checks have one name")
	}
	doc, err := os.ReadFile("../../docs/DOCTOR.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.why == "" || strings.HasSuffix(c.why, ".") {
			t.Errorf("%s: why %q: want a reason without a full stop", c.name, c.why)
		}
		if !bytes.Contains(doc, []byte("| `"+c.name+"` |")) {
			t.Errorf("docs/DOCTOR.md has no row for %s", c.name)
		}
	}
}
