package units

import "testing"

func TestParseRate(t *testing.T) {
	for in, want := range map[string]Rate{
		"5Gbps": 5 * Gbps, "750Mbps": 750 * Mbps, "64kbps": 64e3, "2.5Gbps": 2500 * Mbps, "max": Max, "1bps": 1,
	} {
		got, err := ParseRate(in)
		if err != nil || got != want {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", in, got, err, want)
		}
		if back, err := ParseRate(got.String()); err != nil || back != got {
			t.Errorf("%q does not read back: %v, %v", got.String(), back, err)
		}
	}
	for _, bad := range []string{"", "5", "5G", "Gbps", "5GB", "-5Gbps", "0Gbps", "5 gigabit", "1e300Gbps", "NaNbps"} {
		if got, err := ParseRate(bad); err == nil {
			t.Errorf("ParseRate(%q) = %v, want an error", bad, got)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for in, want := range map[string]Bytes{"1400B": 1400, "64KiB": 64 << 10, "4MiB": 4 << 20, "1MB": 1e6, "0B": 0} {
		got, err := ParseBytes(in)
		if err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %v, %v; want %v", in, got, err, want)
		}
		if back, err := ParseBytes(got.String()); err != nil || back != got {
			t.Errorf("%q does not read back: %v, %v", got.String(), back, err)
		}
	}
	for _, bad := range []string{"", "1400", "B", "-1B", "KiB", "5Gb", "99999999999999999999B"} {
		if got, err := ParseBytes(bad); err == nil {
			t.Errorf("ParseBytes(%q) = %v, want an error", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"5Gbps", "max", "1400B", "64KiB", "x", "1e9bps"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseRate(s); err == nil && r != Max {
			back, err := ParseRate(r.String())
			if err != nil || back/r < 0.999 || back/r > 1.001 {
				t.Fatalf("rate %q reads as %v, prints as %q, reads back as %v, %v", s, float64(r), r, float64(back), err)
			}
		}
		if b, err := ParseBytes(s); err == nil {
			if back, err := ParseBytes(b.String()); err != nil || back != b {
				t.Fatalf("size %q reads as %d, prints as %q, reads back as %d, %v", s, b, b, back, err)
			}
		}
	})
}
