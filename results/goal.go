package results

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"hdbench/internal/units"
)

// SearchSpec is what a search looks for and how: the goals of MLRsearch
// (draft-ietf-bmwg-mlrsearch), one for each loss ratio. It is in the record of
// every look, so that the records alone say what they were for.
type SearchSpec struct {
	LossRatios  []float64  `json:"loss_ratios"` // a goal each, ascending, 0 to 1; 0 is NDR
	ExceedRatio float64    `json:"exceed_ratio"`
	Width       float64    `json:"width"` // of a bound's distance to the next, relative to the upper one
	Shortfall   float64    `json:"shortfall"`
	Min         units.Rate `json:"min"`
	Max         units.Rate `json:"max"`
	InitialNS   int64      `json:"initial_ns"` // a first, rough look's window
	FinalNS     int64      `json:"final_ns"`   // the window of those that count
	SumNS       int64      `json:"duration_sum_ns"`
}

// SearchLook is what a record says of the search it belongs to.
type SearchLook struct {
	SearchSpec
	DurationNS int64 `json:"look_ns"` // this look's window
}

// Check reports what makes no sense.
func (s SearchSpec) Check() error {
	switch {
	case len(s.LossRatios) == 0:
		return fmt.Errorf("a search wants a goal at least")
	case !(s.Min > 0) || !(s.Max > s.Min) || s.Max.IsMax():
		return fmt.Errorf("loads from %v to %v: want a range", s.Min, s.Max)
	case !(s.Width >= minWidth && s.Width <= maxWidth):
		return fmt.Errorf("width %v: want %v to %v", s.Width, minWidth, maxWidth)
	case !(s.ExceedRatio >= 0 && s.ExceedRatio < 1):
		return fmt.Errorf("exceed ratio %v: want 0 or more, and less than 1", s.ExceedRatio)
	case !(s.Shortfall >= 0 && s.Shortfall < 1):
		return fmt.Errorf("shortfall %v: want 0 or more, and less than 1", s.Shortfall)
	case s.InitialNS <= 0 || s.FinalNS < s.InitialNS || s.SumNS < s.FinalNS:
		return fmt.Errorf("durations %v, %v and %v: want initial ≤ final ≤ sum",
			time.Duration(s.InitialNS), time.Duration(s.FinalNS), time.Duration(s.SumNS))
	}
	for i, r := range s.LossRatios {
		if !(r >= 0 && r < 1) || i > 0 && r <= s.LossRatios[i-1] {
			return fmt.Errorf("loss ratios %v: want some from 0 to 1, ascending", s.LossRatios)
		}
	}
	return nil
}

// Bounds of a search's width. Loads are rounded to digits, which a smaller width
// would not survive.
const (
	minWidth = 0.001
	maxWidth = 0.5
)

// Ladder is the loads a search may offer, ascending: min, max, and between them so
// many that each is within the width of the next. A plain sweep of the same width
// would try all of them.
func (s SearchSpec) Ladder() []units.Rate {
	span := math.Log(float64(s.Max) / float64(s.Min))
	for steps := max(1, int(math.Ceil(span/-math.Log1p(-s.Width)))); ; steps++ {
		loads := make([]units.Rate, 0, steps+1)
		fits := true
		for i := range steps + 1 {
			r := s.Max
			switch {
			case i == 0:
				r = s.Min
			case i < steps:
				r = units.Rate(fiveDigits(float64(s.Min) * math.Exp(span*float64(i)/float64(steps))))
			}
			if i > 0 && relativeWidth(loads[i-1], r) > s.Width {
				fits = false
				break
			}
			loads = append(loads, r)
		}
		if fits {
			return loads
		}
	}
}

func relativeWidth(lower, upper units.Rate) float64 {
	return float64(upper-lower) / float64(upper)
}

// fiveDigits rounds to five significant digits, so that a load is written and read
// back as the same.
func fiveDigits(v float64) float64 {
	scale := math.Pow(10, math.Floor(math.Log10(v))-4)
	return math.Round(v/scale) * scale
}

// GoalName is what a goal of that loss ratio is called: NDR is the rate without
// any loss, PDR one with a little (RFC 2544 and its users' words).
func GoalName(lossRatio float64) string {
	if lossRatio == 0 {
		return "NDR"
	}
	return "PDR " + share(lossRatio)
}

// share prints a ratio that was given, as it was given.
func share(r float64) string { return strconv.FormatFloat(100*r, 'g', 6, 64) + " %" }
