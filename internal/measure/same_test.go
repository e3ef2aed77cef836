package measure

import (
	"reflect"
	"testing"
)

func state() *Fingerprint {
	on := true
	return &Fingerprint{
		CPU: CPUPrint{
			Microcode: "0x1", SMT: "on", Turbo: &on, Vulnerabilities: map[string]string{"meltdown": "Mitigation: PTI"},
			Frequencies: []Frequency{{CPUs: "0-3", Driver: "intel_pstate", Governor: "powersave", EPP: "balance_performance"}},
		},
		Kernel: KernelPrint{ClockSource: "tsc", Sysctls: map[string]string{"net.core.rmem_max": "212992"}},
		NICs:   []NIC{{Name: "eth0", Mbps: 25000, NICSettings: NICSettings{Offloads: map[string]bool{"rx-gro": true}}}},
	}
}

func TestWhatMakesAHostAnotherOne(t *testing.T) {
	a := Host{Name: "box", Kernel: "6.12", MemBytes: 16 << 30, Fingerprint: state()}
	for name, c := range map[string]struct {
		change func(*Host)
		same   bool
	}{
		"nothing":               {func(*Host) {}, true},
		"memory that moves":     {func(h *Host) { h.MemBytes += 1 << 20 }, true},
		"a sysctl":              {func(h *Host) { h.Fingerprint.Kernel.Sysctls["net.core.rmem_max"] = "1" }, true},
		"no fingerprint":        {func(h *Host) { h.Fingerprint = nil }, true},
		"a fact that is untold": {func(h *Host) { h.Fingerprint.CPU.Microcode, h.Fingerprint.CPU.Turbo = "", nil }, true},
		"the name":              {func(h *Host) { h.Name = "other" }, false},
		"the kernel":            {func(h *Host) { h.Kernel = "6.13" }, false},
		"memory":                {func(h *Host) { h.MemBytes = 8 << 30 }, false},
		"turbo":                 {func(h *Host) { off := false; h.Fingerprint.CPU.Turbo = &off }, false},
		"a preference":          {func(h *Host) { h.Fingerprint.CPU.Frequencies[0].EPP = "performance" }, false},
		"a mitigation":          {func(h *Host) { h.Fingerprint.CPU.Vulnerabilities["meltdown"] = "Vulnerable" }, false},
	} {
		b := a
		b.Fingerprint = state()
		c.change(&b)
		if a.Same(b) != c.same || b.Same(a) != c.same {
			t.Errorf("%s: same is %v, want %v", name, a.Same(b), c.same)
		}
	}
}

// A field that is added to Host must be thought of in Same.
func TestSameKnowsEveryField(t *testing.T) {
	if n := reflect.TypeFor[Host]().NumField(); n != 15 {
		t.Errorf("Host has %d fields: does Same know all of them?", n)
	}
}

func TestDriftIsWhatOnlyMayMatter(t *testing.T) {
	a, b := state(), state()
	b.Kernel.ClockSource = "hpet"
	b.Kernel.Sysctls["net.core.rmem_max"] = "1"
	b.NICs[0].Offloads["rx-gro"] = false
	b.NICs = append(b.NICs, NIC{Name: "eth1"})
	want := []Difference{{"clock source", "tsc", "hpet"}, {"net.core.rmem_max", "212992", "1"}, {"eth0 offload rx-gro", "on", "off"}}
	if d := a.Drift(b); !reflect.DeepEqual(d, want) {
		t.Errorf("%v, want %v", d, want)
	}
	if d := a.Differences(b); len(d) > 0 {
		t.Errorf("it makes the host another one: %v", d)
	}
}

func TestShareOfSteal(t *testing.T) {
	s := Steal{Seconds: 0.4, Window: 2}
	if share, ok := s.Share(4); !ok || share != 0.05 {
		t.Errorf("%v %v", share, ok)
	}
	for _, none := range []Steal{{NA: "no /proc/stat", Window: 2}, {Seconds: 1}} {
		if _, ok := none.Share(4); ok {
			t.Errorf("%+v has a share", none)
		}
	}
}
