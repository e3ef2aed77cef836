package scenarios

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hdbench/internal/units"
)

// A search needs no more than its name; what is given replaces a default.
func TestSearchDefaults(t *testing.T) {
	for _, short := range []string{"search: ndr-pdr", "search: {}", "search: {goals: [pdr, ndr], width: 2%, min: 100Mbps, max: auto, initial: 200ms, final: 1s, duration-sum: 3s, exceed-ratio: 50%, shortfall: 1%}"} {
		s, err := Parse("x.yaml", []byte(strings.NewReplacer("rate: 1Gbps", short, "measure: 1s\n", "").Replace(minimal)))
		if err != nil {
			t.Fatal(err)
		}
		l, want := s.Load.Search, defaultSearch()
		if l == nil || !slices.Equal(l.LossRatios, want.LossRatios) || l.Width != want.Width || l.Min != want.Min || l.Max != 0 ||
			l.Initial != want.Initial || l.Final != want.Final || l.Sum != want.Sum || l.ExceedRatio != want.ExceedRatio || l.Shortfall != want.Shortfall {
			t.Errorf("%s: %+v", short, l)
		}
		if s.Measure != time.Second {
			t.Errorf("%s: measure %v", short, s.Measure)
		}
		if err := l.spec(20 * units.Gbps).Check(); err != nil {
			t.Errorf("%s: %v", short, err)
		}
	}
}

// A plan counts a search as so many looks, and takes their time into account.
func TestSearchIsPlanned(t *testing.T) {
	s, err := Parse("x.yaml", []byte(strings.Replace(minimal, "rate: 1Gbps", "rate: [1Gbps, 2Gbps]\n  search: {max: 10Gbps}", 1)+"    workers: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	looks, took, err := s.searchEstimate(10 * units.Gbps)
	if err != nil || looks < 12 || looks > 40 || took < time.Duration(looks)*s.Warmup || took > 3*time.Minute {
		t.Errorf("%d looks, %v, %v", looks, took, err)
	}
	p, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if row := p.Rows[0]; len(row) != 3 || row[1] != "1Gbps 2Gbps search" || !strings.HasPrefix(row[2], "2 + ") {
		t.Errorf("%q", row)
	}
	if notes := strings.Join(p.Notes, " "); !strings.Contains(notes, "search: NDR and PDR 0.5 %, 100Mbps to 10Gbps. Counted") {
		t.Errorf("notes %q", notes)
	}
}

func TestThreeDigitsBelow(t *testing.T) {
	for v, want := range map[float64]units.Rate{38_338e6: 38.3 * units.Gbps, 999.9e6: 999 * units.Mbps, 0: 0, 1e9: units.Gbps} {
		if got := threeDigitsBelow(v); got.String() != want.String() || float64(got) > v {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}
