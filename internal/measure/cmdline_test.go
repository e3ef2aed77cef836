package measure

import "testing"

func TestKernelParametersThatMayBeRecorded(t *testing.T) {
	for _, c := range []struct {
		line, kept string
		leftOut    int
	}{
		{"BOOT_IMAGE=/vmlinuz root=/dev/sda2 ro quiet isolcpus=2-5 nohz_full=2-5 mitigations=off", "isolcpus=2-5 nohz_full=2-5 mitigations=off", 4},
		{"nohz-full=1 intel_pstate=disable idle=poll hugepages=64", "nohz-full=1 intel_pstate=disable idle=poll hugepages=64", 0},
		{"rd.luks.key=secret ip=10.0.0.1::10.0.0.254 ds=nocloud;password=secret", "", 3},
		{`dracut.x="two words isolcpus=secret" "isolcpus=1" nosmt`, `"isolcpus=1" nosmt`, 1},
		{"tsc=reliable -- tsc=secret", "tsc=reliable", 2},
		{"isolcpus_password=secret", "", 1},
		{"", "", 0},
	} {
		if kept, n := KernelParameters(c.line); kept != c.kept || n != c.leftOut {
			t.Errorf("%s: %q is kept and %d left out; want %q and %d", c.line, kept, n, c.kept, c.leftOut)
		}
	}
}

// A host whose command line has nothing that matters is not one that does not tell:
// beside mitigations=off it is another. The whole line of an older record counts
// as what is recorded of it today.
func TestCommandLinesDifferInWhatMatters(t *testing.T) {
	host := func(cmdline string, leftOut int) *Fingerprint {
		return &Fingerprint{Kernel: KernelPrint{Cmdline: cmdline, CmdlineLeftOut: leftOut}}
	}
	for _, c := range []struct {
		name string
		a, b *Fingerprint
		want int
	}{
		{"nothing that matters, and a mitigation", host("", 3), host("mitigations=off", 1), 1},
		{"an older record of the same line", host("root=/dev/sda2 nosmt", 0), host("nosmt", 1), 0},
		{"an older record with nothing that matters", host("root=/dev/sda2 quiet", 0), host("", 2), 0},
		{"one that does not tell", host("", 0), host("nosmt", 0), 0},
	} {
		if d := c.a.Drift(c.b); len(d) != c.want {
			t.Errorf("%s: %v", c.name, d)
		}
	}
}
