package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"hdbench/internal/measure"
)

var update = flag.Bool("update", false, "write the golden files anew")

// trees are hosts recorded as files.
var trees = []string{"vm", "xeon-e5-1650v3", "container"}

// tree is a recorded host: its files in a folder, and what no file tells.
func tree(t *testing.T, name string) Source {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var rest struct {
		Leaf      string
		Files     [2]uint64
		Addresses map[string][]string
		Ethtool   map[string]*measure.NIC
	}
	var links string
	for _, f := range a.Files {
		switch f.Name {
		case "links":
			links = string(f.Data)
			continue
		case "host.json":
			if err := json.Unmarshal(f.Data, &rest); err != nil {
				t.Fatal(err)
			}
			continue
		}
		place(t, filepath.Join(root, f.Name), func(name string) error { return os.WriteFile(name, f.Data, 0o644) })
	}
	for line := range strings.Lines(links) {
		name, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		place(t, filepath.Join(root, name), func(name string) error { return os.Symlink(to, name) })
	}
	return Source{
		Root: root,
		Leaf: func() string { return rest.Leaf },
		Ethtool: func(n *measure.NIC, miss func(string, error)) {
			e := rest.Ethtool[n.Name]
			if e == nil {
				miss("driver", errors.New("operation not supported"))
				return
			}
			n.Driver, n.Version, n.Firmware, n.NICSettings = e.Driver, e.Version, e.Firmware, e.NICSettings
		},
		Addresses: func(nic string) ([]string, error) { return rest.Addresses[nic], nil },
		Files:     func() (uint64, uint64, error) { return rest.Files[0], rest.Files[1], nil },
	}
}

func place(t *testing.T, name string, make func(string) error) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), make(name)); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: have\n%s", name, got)
	}
}

func TestFingerprintsOfRecordedHosts(t *testing.T) {
	for _, name := range trees {
		t.Run(name, func(t *testing.T) {
			f := tree(t, name).Fingerprint()
			f.Binary = measure.Binary{} // the test's
			b, err := json.MarshalIndent(f, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", append(b, '\n'))
			if strings.Contains(string(b), os.TempDir()) {
				t.Error("the reasons name the folder that the tree is in")
			}
			if strings.Contains(string(b), "rd.luks") || strings.Contains(string(b), "root=") {
				t.Error("the kernel's command line is recorded with what may be secret")
			}
		})
	}
}

// What the files of a host do not tell must not read as zero: it is in Missing.
func TestNothingIsEmptyWithoutAReason(t *testing.T) {
	empty := Source{
		Root: t.TempDir(), Leaf: func() string { return "" }, Ethtool: func(*measure.NIC, func(string, error)) {},
		Addresses: func(string) ([]string, error) { return nil, nil },
		Files:     func() (uint64, uint64, error) { return 0, 0, errors.New("not permitted") },
	}
	f := empty.Fingerprint()
	for _, field := range []string{
		"cpu.model", "cpu.topology", "cpu.smt", "cpu.numa_nodes", "cpu.caches", "cpu.frequencies", "cpu.turbo", "cpu.vulnerabilities",
		"memory.total_bytes", "memory.transparent_huge_pages", "kernel.version", "kernel.cmdline", "kernel.clock_source", "kernel.sysctls.net.core.somaxconn",
		"hypervisor", "nics", "limits.files", "limits.cpu_quota",
	} {
		if f.Missing[field] == "" {
			t.Errorf("%s is empty without a reason", field)
		}
	}
	if f.KTLS.Mode != measure.KTLSNone || !strings.Contains(f.KTLS.Evidence, "/proc is not there") {
		t.Errorf("kernel TLS: %+v", f.KTLS)
	}
	if why := f.Missing["cpu.caches"]; why != "/sys is not there" {
		t.Errorf("caches: %q, want the highest folder that is not there", why)
	}
}

func TestFingerprintOfThisHost(t *testing.T) {
	f := Here().Fingerprint()
	if f.CPU.Vendor == "" && f.Missing["cpu.model"] == "" || len(f.Kernel.Sysctls) == 0 || f.Limits.FilesHard == 0 || f.Binary.Go == "" {
		t.Errorf("%+v", f)
	}
	again := Here().Fingerprint()
	if d := f.Differences(again); len(d) > 0 {
		t.Errorf("two looks at one host differ in %v", d)
	}
}

func TestKernelTLSModeFollowsTheEvidence(t *testing.T) {
	s := tree(t, "xeon-e5-1650v3")
	on := []measure.NIC{{Name: "enp3s0f0", NICSettings: measure.NICSettings{Offloads: map[string]bool{"tls-hw-tx-offload": true}}}}
	if k := s.ktls(on); k.Mode != measure.KTLSDevice || !strings.Contains(k.Evidence, "enp3s0f0") {
		t.Errorf("with offload: %+v", k)
	}
	if k := s.ktls(nil); k.Mode != measure.KTLSSoftware {
		t.Errorf("without: %+v", k)
	}
	if k := tree(t, "vm").ktls(on); k.Mode != measure.KTLSNone {
		t.Errorf("without the ULP: %+v", k)
	}
}

func TestHypervisorsAreNamed(t *testing.T) {
	s := tree(t, "vm")
	for leaf, want := range map[string]string{
		"KVMKVMKVM\x00\x00\x00": "KVM", "VMwareVMware": "VMware", "Microsoft Hv": "Hyper-V", "SomethingNew": "SomethingNew", "": "unnamed",
	} {
		s.Leaf = func() string { return leaf }
		if h := s.hypervisor(&missing{s: s}); h == nil || h.Name != want {
			t.Errorf("leaf %q: %+v, want %s", leaf, h, want)
		}
	}
	metal := tree(t, "xeon-e5-1650v3")
	metal.Leaf = func() string { return "rubbish" } // the leaf means nothing without the flag
	if h := metal.hypervisor(&missing{s: metal}); h != nil {
		t.Errorf("bare metal: %+v", h)
	}
}

// Without the flag of x86 nothing can be said: that is no machine of its own.
func TestCPUsThatDoNotTellOfAHypervisor(t *testing.T) {
	s := tree(t, "vm")
	if err := os.WriteFile(s.path("proc/cpuinfo"), []byte("processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &missing{s: s}
	if h := s.hypervisor(m); h != nil || m.of["hypervisor"] == "" {
		t.Errorf("%+v, missing %v", h, m.of)
	}
	place(t, s.path("sys/hypervisor/type"), func(name string) error { return os.WriteFile(name, []byte("xen\n"), 0o644) })
	m = &missing{s: s}
	if h := s.hypervisor(m); h == nil || h.Name != "xen" || m.of["hypervisor"] != "" {
		t.Errorf("Xen's own file: %+v, missing %v", h, m.of)
	}
}

func TestCPUMasks(t *testing.T) {
	for mask, want := range map[string]string{"0": "", "f": "0-3", "ff0,00000000": "36-43", "00000001,80000000": "31-32"} {
		if set, err := parseMask(mask); err != nil || set.String() != want {
			t.Errorf("%s: %v, %v; want %s", mask, set, err, want)
		}
	}
	for _, bad := range []string{"", "g", "1,,1", "100000000"} {
		if set, err := parseMask(bad); err == nil {
			t.Errorf("%q is %v", bad, set)
		}
	}
}

func FuzzCPUMask(f *testing.F) {
	for _, s := range []string{"0", "ff0,00000000", "ffffffff", "1,,2", "g"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := parseMask(s)
		if err != nil {
			return
		}
		for _, c := range set.List() {
			if c < 0 || c >= 32*(1+strings.Count(s, ",")) {
				t.Errorf("%q has CPU %d", s, c)
			}
		}
	})
}
