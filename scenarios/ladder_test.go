package scenarios

import (
	"math"
	"testing"

	"hdbench/internal/units"
)

// The ladder is the preferred numbers of ISO 3, each as it is written, and its
// steps are equal: 12.2 %, as far as the standard's roundings let them be.
func TestLadderIsOfPreferredNumbers(t *testing.T) {
	for r := lowestRung; r <= highestRung; r++ {
		back, err := units.ParseRate(r.rate().String())
		if err != nil || back != r.rate() {
			t.Errorf("%v does not read back: %v, %v", r.rate(), back, err)
		}
		if equal := 1e6 * math.Pow(10, float64(r)/20); math.Abs(float64(r.rate())/equal-1) > 0.014 {
			t.Errorf("rung %d is %v, the equal step is %.0f", r, r.rate(), equal)
		}
		for _, step := range []int{r20, r10, r5} {
			for bps, want := range map[float64]rung{
				float64(r.rate()):        r - r%rung(step),
				float64(r.rate()) * 1.05: r - r%rung(step),
			} {
				if got := rungBelow(bps, step); got != want {
					t.Errorf("below %.0f by %d: %v, want %v", bps, step, got.rate(), want.rate())
				}
			}
			if up := r.above(step); r < highestRung-r5 && (up <= r || up-r > rung(step) || int(up)%step != 0) {
				t.Errorf("above %v by %d: %v", r.rate(), step, up.rate())
			}
		}
	}
	if lowestRung.rate() != 10*units.Mbps || climbFrom.rate() != 500*units.Mbps || highestRung.rate() != 200*units.Gbps || (climbFrom+doubling).rate() != units.Gbps {
		t.Errorf("%v, %v, %v", lowestRung.rate(), climbFrom.rate(), highestRung.rate())
	}
	if rungBelow(1, r5) != lowestRung || rungBelow(1e15, r20) != highestRung {
		t.Error("the ladder has no ends")
	}
}
