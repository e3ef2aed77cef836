// Package figure draws: lines with interval bands over a common axis, and bars
// with their intervals, as SVG and PNG.
//
// A Figure is values and words in; bytes out. The same Figure gives the same bytes
// on every machine: the fonts are in the binary (Liberation Sans), nothing is
// taken from the clock or the system, and whatever is drawn is drawn in the order
// given. The package knows nothing of relays and trials, and computes no number.
//
// Every series has a colour of the Okabe–Ito palette, a dash and a marker of its
// own, so that a figure reads in black and white too.
package figure

import "math"

// Figure is one picture: panels one above another that share their x axis, or
// bars.
type Figure struct {
	Name   string // of its files, without the ending
	Title  string
	Alt    string // what it shows, for whoever does not see it
	X      Axis
	Panels []Panel
	Bars   []Bar // in place of panels
}

// Axis is what one axis says.
type Axis struct {
	Label string // with the unit
	Log   bool   // else it begins at zero, or below where a value is below
	Max   float64
	// Tick writes a value at the axis; nil: a plain number.
	Tick func(float64) string
}

// Panel is one pair of axes.
type Panel struct {
	Y      Axis
	Series []Series
	// Identity draws the line y = x, named in the legend: what was asked for.
	Identity string
}

// Series is one line. Series of one Name in several panels are one entry of the
// legend.
type Series struct {
	Name   string
	Style  Style
	Points []Point // by ascending X
}

// Point is one value with its interval; Lo and Hi are NaN where there is none.
type Point struct {
	X, Y, Lo, Hi float64
	// Hollow marks a value that cannot be trusted: its marker is empty, and the
	// line to it dotted.
	Hollow bool
	Text   string // what it says when pointed at
}

// Bar is one bar of a bar chart. NaN as Value draws none, only the Text.
type Bar struct {
	Name          string
	Style         Style
	Value, Lo, Hi float64
	Text          string // at its end
}

// Spot is a place in the SVG that has something to say: a rectangle in the units
// of its view box, origin at the upper left.
type Spot struct {
	X, Y, W, H float64
	Text       string
}

// Drawable reports whether there is anything to draw.
func (f *Figure) Drawable() bool {
	for _, p := range f.Panels {
		for _, s := range p.Series {
			for _, pt := range s.Points {
				if finite(pt.X) && finite(pt.Y) {
					return true
				}
			}
		}
	}
	for _, b := range f.Bars {
		if finite(b.Value) {
			return true
		}
	}
	return false
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
