package results

import (
	"slices"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// Two CPUs that a hypervisor had moved apart spoil what was not carried; a carried rate
// is a proof there too.
func TestTrialsOfCPUsThatWereApart(t *testing.T) {
	trial := func(before, after, nearest int64, delivered float64) *Trial {
		tr := trialWith(hd(1), 1*units.Gbps, 1, delivered, 0.1, measure.Histogram{Count: 1000, P99NS: 5e5})
		tr.Distance = &measure.Distance{CPUs: [2]int{0, 1}, BeforeNS: before, AfterNS: after, UsualNS: nearest}
		tr.Validity = Judge(tr)
		return tr
	}
	has := func(tr *Trial) bool {
		return slices.ContainsFunc(tr.Validity, func(f Finding) bool { return f.Code == Apart })
	}
	for _, c := range []struct {
		before, after, nearest int64
		want                   bool
	}{
		{90, 110, 90, false}, {90, 490, 90, true}, {490, 90, 90, true}, {490, 490, 0, false}, {490, 490, 480, false},
	} {
		if got := has(trial(c.before, c.after, c.nearest, 990)); got != c.want {
			t.Errorf("%d ns before, %d after, %d mostly: marked %v, want %v", c.before, c.after, c.nearest, got, c.want)
		}
	}
	if q := trial(90, 490, 90, 600).Spoiled(); q != everything {
		t.Errorf("not carried: spoiled %v, want all", q)
	}
	if tr := trial(90, 490, 90, 1000); !tr.Trusts(Throughput) || tr.Trusts(Cost) {
		t.Errorf("carried: spoiled %v, want latency and cost", tr.Spoiled())
	}
	lines := distanceLines([]*Trial{trial(90, 110, 90, 1000), trial(90, 490, 90, 1000)})
	want := "A cache line took 90ns to 490ns between the relay's CPU 0 and the client's CPU 1 and back. In 1 of 2 trials it was over 2 times the usual: the hypervisor had moved the CPUs apart, and what goes between relay and client is slower there."
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("%q", lines)
	}
	if lines := distanceLines([]*Trial{trialWith(hd(1), 1*units.Gbps, 1, 1000, 0.1, measure.Histogram{})}); lines != nil {
		t.Errorf("of two hosts: %q", lines)
	}
}
