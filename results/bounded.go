package results

import (
	"fmt"
	"math"

	"hdbench/results/stat"
)

// Bounded is a ratio of two ceilings, of which either may be a lower bound only. It
// says nothing where the bound points the wrong way.
type Bounded struct {
	stat.Ratio
	Bound Bound
	NA    string // why there is no ratio
}

// Bound is which way a value is open.
type Bound string

// The bounds, as they are printed.
const (
	Exact   Bound = ""
	AtLeast Bound = "≥ "
	AtMost  Bound = "≤ "
)

// String is the ratio as a cell.
func (b Bounded) String() string {
	if b.NA != "" {
		return na
	}
	return string(b.Bound) + ratio(b.Ratio)
}

// compareCeilings is c as a multiple of ts. Both must be there.
func compareCeilings(c, ts *Ceiling) Bounded {
	switch {
	case c.At == nil:
		return Bounded{NA: c.NA}
	case ts.At == nil:
		return Bounded{NA: "TS has no ceiling: " + ts.NA}
	}
	for _, x := range []*Ceiling{c, ts} {
		if x.Delivered.TooNoisy() {
			return Bounded{NA: "too noisy to say: " + x.noise()}
		}
	}
	r := stat.RatioOfEstimates(c.Delivered, ts.Delivered)
	switch {
	case c.AtLeast && ts.AtLeast:
		return Bounded{NA: "neither was brought to its limit"}
	case c.AtLeast && r.Value < 1:
		return Bounded{NA: fmt.Sprintf("what it carries is a lower bound (limit: %s), and below TS's", c.Limit.What)}
	case ts.AtLeast && r.Value > 1:
		return Bounded{NA: fmt.Sprintf("what TS carries is a lower bound (limit: %s), and below its", ts.Limit.What)}
	case c.AtLeast:
		return Bounded{Ratio: r, Bound: AtLeast}
	case ts.AtLeast:
		return Bounded{Ratio: r, Bound: AtMost}
	}
	return Bounded{Ratio: r}
}

// noise says how noisy a ceiling is, and what would help.
func (c *Ceiling) noise() string {
	return fmt.Sprintf("%s to %s Mbps in %s; more runs (runs: 12), or a quieter host", mbps(c.Delivered.Lo), mbps(c.Delivered.Hi), plural(c.Delivered.N, "run"))
}

// more and less report whether a ratio is surely above or below 1.
func (b Bounded) more() bool { return b.NA == "" && b.Bound != AtMost && b.Lo > 1 }
func (b Bounded) less() bool { return b.NA == "" && b.Bound != AtLeast && b.Hi < 1 }

// interval is the interval in words; empty where there is none.
func interval(r stat.Ratio) string {
	if math.IsNaN(r.Lo) {
		return ""
	}
	return fmt.Sprintf("95 %% CI %s to %s", number(r.Lo), number(r.Hi))
}
