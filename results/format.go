package results

import (
	"fmt"
	"math"
	"time"

	"hdbench/results/stat"
)

// na is what a cell says when there is no number. The reason is in the table's
// notes.
const na = "n/a"

// mbps prints bits per second as Mbit/s.
func mbps(bps float64) string { return number(bps / 1e6) }

// number prints with three significant digits or all before the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return na
	case a >= 100 || a == 0:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// percent prints a share of one. Exactly none is 0; a little is not.
func percent(v float64) string {
	p := 100 * v
	switch {
	case math.IsNaN(v):
		return na
	case v == 0:
		return "0"
	case math.Abs(p) < 0.005:
		return "<0.01"
	case math.Abs(p) < 10:
		return fmt.Sprintf("%.2f", p)
	case math.Abs(p) < 99.95:
		return fmt.Sprintf("%.1f", p)
	default:
		return fmt.Sprintf("%.0f", p)
	}
}

// plusMinus prints half an interval's width.
func plusMinus(v float64) string {
	if math.IsNaN(v) {
		return na
	}
	return "±" + number(v)
}

// duration prints nanoseconds with two or three digits and a unit.
func duration(ns int64, count int64) string {
	if count == 0 {
		return na
	}
	d := time.Duration(ns)
	unit := func(v float64, u string) string {
		if v < 10 {
			return fmt.Sprintf("%.1f%s", v, u)
		}
		return fmt.Sprintf("%.0f%s", v, u)
	}
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.0fµs", float64(d)/1e3)
	case d < time.Second:
		return unit(float64(d)/1e6, "ms")
	default:
		return unit(d.Seconds(), "s")
	}
}

// ratio prints a quotient with its interval.
func ratio(r stat.Ratio) string {
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return na
	}
	s := number(r.Value) + "×"
	if math.IsNaN(r.Lo) {
		return s
	}
	return fmt.Sprintf("%s [%s, %s]", s, number(r.Lo), number(r.Hi))
}

// plural counts things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// signed prints a change with its sign.
func signed(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return na
	}
	return fmt.Sprintf("%+.1f", v)
}
