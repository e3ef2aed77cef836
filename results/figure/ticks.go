package figure

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// ticks marks an axis: at 1, 2 or 5 times a power of ten, or at the decades of a
// logarithmic axis.
type ticks struct {
	axis   Axis
	silent bool // of a panel whose x axis is written below another
}

func (t ticks) Ticks(lo, hi float64) []plot.Tick {
	if t.axis.Log {
		return t.decades(lo, hi)
	}
	const about = 9
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/about)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*m) <= about {
			step *= m
			break
		}
	}
	var out []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		out = append(out, t.tick(i*step+0)) // −0 + 0 is 0
	}
	return out
}

func (t ticks) decades(lo, hi float64) []plot.Tick {
	var out []plot.Tick
	for e := math.Floor(math.Log10(lo)); math.Pow(10, e) <= hi*1.0001; e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			switch {
			case v < lo*0.9999 || v > hi*1.0001:
			case m == 1:
				out = append(out, t.tick(v))
			default:
				out = append(out, plot.Tick{Value: v})
			}
		}
	}
	return out
}

func (t ticks) tick(v float64) plot.Tick {
	label := "" // gonum takes a tick without a label for a minor one
	switch {
	case t.silent:
		label = " "
	case t.axis.Tick != nil:
		label = t.axis.Tick(v)
	default:
		label = strconv.FormatFloat(v, 'f', -1, 64)
		if r := math.Round(v*1e6) / 1e6; r != v { // 0.30000000000000004
			label = strconv.FormatFloat(r, 'f', -1, 64)
		}
	}
	return plot.Tick{Value: v, Label: label}
}

// span is the range of an axis over values: from zero, or whole decades.
func (a Axis) span(values []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) && (!a.Log || v > 0) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	switch {
	case lo > hi:
		lo, hi = 0, 1
		if a.Log {
			lo, hi = 1, 10
		}
	case a.Log:
		lo = math.Pow(10, math.Floor(math.Log10(lo)+1e-9))
		hi = math.Pow(10, math.Ceil(math.Log10(hi)-1e-9))
		if hi <= lo {
			hi = 10 * lo
		}
	default:
		lo, hi = math.Min(lo, 0), math.Max(hi, 0)
		if hi == lo {
			hi = lo + 1
		}
		if pad := 0.04 * (hi - lo); hi > 0 {
			hi += pad
		}
		if lo < 0 {
			lo -= 0.04 * (hi - lo)
		}
	}
	if a.Max > 0 {
		hi = a.Max
	}
	return lo, hi
}
