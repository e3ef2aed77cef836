package results

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hdbench/internal/measure"
)

func TestSetupIsWrittenFromTheFingerprint(t *testing.T) {
	var hosts []HostEntry
	for _, h := range []struct{ name, role, tree string }{
		{"relay-1", "relay", "xeon-e5-1650v3"}, {"client-1", "client", "vm"}, {"client-2", "client", "vm"}, {"box", "client", "container"}, {"old", "client", ""},
	} {
		e := HostEntry{Agent: h.name, Roles: []string{h.role}, Host: measure.Host{Name: h.name, Kernel: "6.12.1", Arch: "amd64", CPUModel: "Some CPU"}}
		if h.tree != "" {
			e.Host.Fingerprint = fingerprint(t, h.tree)
		}
		hosts = append(hosts, e)
	}
	tables := SetupTables(hosts)
	var titles []string
	var b bytes.Buffer
	for _, f := range []Format{Terminal, Markdown} {
		for _, table := range tables {
			if err := table.Write(&b, f); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
		}
	}
	for _, table := range tables {
		titles = append(titles, table.Title)
	}
	if want := []string{"relay-1", "client-1, client-2", "box"}; !slices.Equal(titles, want) {
		t.Errorf("tables of %q, want %q", titles, want)
	}
	golden(t, "setup.txt", b.Bytes())
	terminal, _, _ := strings.Cut(b.String(), "**relay-1**")
	checkWidth(t, terminal)
}

func TestSetupOfAHostThatTellsNothing(t *testing.T) {
	f := &measure.Fingerprint{Missing: map[string]string{}, KTLS: measure.KTLSPrint{Mode: measure.KTLSNone, Evidence: "/proc is not there"}}
	for _, field := range []string{"cpu", "memory", "kernel.version", "hypervisor", "nics", "limits"} {
		f.Missing[field] = "/proc is not there"
	}
	for _, row := range SetupTables([]HostEntry{{Host: measure.Host{Name: "box", Fingerprint: f}}})[0].Rows {
		switch row[0] {
		case "Caches", "Frequency", "Mitigations", "Memory", "Hypervisor", "Limits", "Network":
			if !strings.HasPrefix(row[1], "n/a: /proc is not there") {
				t.Errorf("%s: %q, want n/a with the reason", row[0], row[1])
			}
		}
	}
}

func TestTwoRolesOfOneHostAreOneTable(t *testing.T) {
	env := environment()
	for i := range env.Hosts {
		env.Hosts[i].Host.Fingerprint = fingerprint(t, "vm") // read twice
	}
	env.Hosts[1].Host.Fingerprint.NICs[0].IRQs[0].CPUs = "1" // moved meanwhile
	if lines := strings.Join(setup(&env), "\n"); !strings.Contains(lines, "of the same host") {
		t.Errorf("two looks at one host are two hosts:\n%s", lines)
	}
	if tables := SetupTables(env.Hosts); len(tables) != 1 {
		t.Errorf("%d tables", len(tables))
	}
}

func TestHostsInAnotherStateAreNotCompared(t *testing.T) {
	with := func(change func(*measure.Fingerprint)) *Set {
		s := newBuild(1).set("new")
		s.Environment.Hosts = slices.Clone(s.Environment.Hosts)
		for i := range s.Environment.Hosts {
			f := fingerprint(t, "xeon-e5-1650v3")
			change(f)
			s.Environment.Hosts[i].Host.Fingerprint = f
		}
		return s
	}
	same := func(*measure.Fingerprint) {}
	for want, change := range map[string]func(*measure.Fingerprint){
		"relay, microcode: 0x49, 0x4a":                            func(f *measure.Fingerprint) { f.CPU.Microcode = "0x4a" },
		"relay, turbo: on, off":                                   func(f *measure.Fingerprint) { off := false; f.CPU.Turbo = &off },
		"relay, SMT: on, off":                                     func(f *measure.Fingerprint) { f.CPU.SMT = "off" },
		"relay, mitigation meltdown: Mitigation: PTI, Vulnerable": func(f *measure.Fingerprint) { f.CPU.Vulnerabilities["meltdown"] = "Vulnerable" },
		"relay, frequency driver and governor: intel_cpufreq schedutil, intel_cpufreq performance, intel_cpufreq performance": func(f *measure.Fingerprint) {
			f.CPU.Frequencies = f.CPU.Frequencies[1:]
		},
	} {
		if d := Differences(with(same), with(change)); len(d) == 0 || d[0] != want {
			t.Errorf("want %q, have %q", want, d)
		}
	}
	// What only may matter is a warning, said once for a host in two roles.
	g := compare(t, with(same), with(func(f *measure.Fingerprint) {
		f.Kernel.Sysctls["net.core.rmem_max"] = "4194304"
		f.NICs[1].Rings["rx"] = 8192
		f.NICs[1].IRQs[0].CPUs = "5"
		f.Limits.FilesHard = 7
	}))
	want := []string{
		"The hosts' settings differ, which may matter: relay, net.core.rmem_max: 212992, 4194304.",
		"The hosts' settings differ, which may matter: relay, enp3s0f0 ring rx: 1024, 8192.",
	}
	if g.Outcome != NoRegression || !slices.Equal(g.Notes, want) {
		t.Errorf("%v %q, want %q", g.Outcome, g.Notes, want)
	}
	// A folder older than fingerprints tells nothing that could differ.
	old := with(same)
	for i := range old.Environment.Hosts {
		old.Environment.Hosts[i].Host.Fingerprint = nil
	}
	if d := Differences(old, with(same)); len(d) > 0 || len(Drift(old, with(same))) > 0 {
		t.Errorf("an older folder differs in %q", d)
	}
}

func TestStealSpoilsATrial(t *testing.T) {
	for _, c := range []struct {
		name  string
		steal measure.Steal
		want  bool
	}{
		{"at the bound", measure.Steal{Role: "relay", CPUs: "0-1", Seconds: 0.2, Window: 2}, false},
		{"over it", measure.Steal{Role: "relay", CPUs: "0-1", Seconds: 0.21, Window: 2}, true},
		{"the client's", measure.Steal{Role: "client", CPUs: "2", Seconds: 0.5, Window: 2}, true},
		{"two ticks of a short window", measure.Steal{Role: "relay", CPUs: "0", Seconds: 0.02, Window: 0.2}, false},
		{"not known", measure.Steal{Role: "relay", CPUs: "0", NA: "/proc/stat has no times of CPUs"}, false},
	} {
		tr := trial(hd(1), 1e9, 1, 1000, 0.1)
		tr.Steal = []measure.Steal{c.steal}
		fs := Judge(tr)
		if got := len(fs) == 1 && fs[0].Code == Stolen; got != c.want || len(fs) > 1 {
			t.Errorf("%s: %v", c.name, fs)
		}
	}
}

func TestStealIsSaidWhereItWasLookedFor(t *testing.T) {
	trials := []*Trial{trial(hd(1), 1e9, 1, 1000, 0.1), trial(hd(1), 1e9, 2, 1000, 0.1)}
	if lines := stealLines(trials); lines != nil {
		t.Errorf("an older folder says %q", lines)
	}
	trials[0].Steal = []measure.Steal{{Role: "relay", CPUs: "0-1", Seconds: 0.04, Window: 2}, {Role: "client", CPUs: "2", NA: "no times of CPUs"}}
	trials[1].Steal = []measure.Steal{{Role: "relay", CPUs: "0-1", Window: 2}, {Role: "client", CPUs: "2", Window: 2}}
	want := []string{
		"Of the relay's CPU time, a hypervisor took at most 1.0 % in the window of a trial.",
		"Time that a hypervisor took from the client's CPUs is n/a: no times of CPUs.",
	}
	if lines := stealLines(trials); !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}
