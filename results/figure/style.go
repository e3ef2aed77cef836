package figure

import (
	"image/color"
	"math"

	"golang.org/x/image/font"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Style tells one series from the others by colour, dash and marker. Baseline is
// black, dashed and square; the others are numbered from 0. There are as many
// colours, dashes and markers as have no common factor, so that all three together
// repeat only after 210.
type Style int

// Baseline is the style of what the others are compared with.
const Baseline Style = -1

// palette is Okabe and Ito's, for all kinds of colour vision
// (jfly.uni-koeln.de/color), without black, which is the baseline's, and yellow,
// which white paper swallows.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xB2, 0xFF}, // blue
	{0xD5, 0x5E, 0x00, 0xFF}, // vermillion
	{0x00, 0x9E, 0x73, 0xFF}, // bluish green
	{0xCC, 0x79, 0xA7, 0xFF}, // reddish purple
	{0x56, 0xB4, 0xE9, 0xFF}, // sky blue
	{0xE6, 0x9F, 0x00, 0xFF}, // orange
}

// dashes are the line styles, in points of line and gap.
var dashes = [][]vg.Length{
	nil, {9, 2}, {2, 2}, {9, 3, 2, 3}, {9, 3, 2, 3, 2, 3}, {1, 3}, {14, 2, 1, 2},
}

// baselineDash is Baseline's alone.
var baselineDash = []vg.Length{5, 3}

// marker is a regular polygon; 0 sides is a circle.
type marker struct {
	sides int
	turn  float64 // of the first corner from the x axis
}

var markers = []marker{
	{0, 0}, {3, math.Pi / 2}, {4, 0}, {3, -math.Pi / 2}, {5, math.Pi / 2},
}

// Colours of what is not data.
var (
	ink   = color.NRGBA{0x00, 0x00, 0x00, 0xFF}
	paper = color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}
	grid  = color.NRGBA{0xDD, 0xDD, 0xDD, 0xFF}
	faint = color.NRGBA{0x99, 0x99, 0x99, 0xFF}
)

const (
	lineWidth  = vg.Length(1.5)
	markerSize = vg.Length(3.6) // radius
	bandAlpha  = 0x38
)

func (s Style) color() color.NRGBA {
	if s < 0 {
		return ink
	}
	return palette[int(s)%len(palette)]
}

func (s Style) line() draw.LineStyle {
	l := draw.LineStyle{Color: s.color(), Width: lineWidth, Dashes: baselineDash}
	if s >= 0 {
		l.Dashes = dashes[int(s)%len(dashes)]
	}
	return l
}

func (s Style) band() color.NRGBA {
	c := s.color()
	c.A = bandAlpha
	return c
}

func (s Style) marker() marker {
	if s < 0 {
		return marker{4, math.Pi / 4}
	}
	return markers[int(s)%len(markers)]
}

// draw draws the marker; a hollow one shows the paper.
func (s Style) draw(c *draw.Canvas, at vg.Point, hollow bool) {
	m := s.marker()
	var p vg.Path
	if m.sides == 0 {
		p.Move(vg.Point{X: at.X + markerSize, Y: at.Y})
		p.Arc(at, markerSize, 0, 2*math.Pi)
	} else {
		for i := range m.sides {
			a := m.turn + 2*math.Pi*float64(i)/float64(m.sides)
			corner := vg.Point{
				X: at.X + 1.2*markerSize*vg.Length(math.Cos(a)),
				Y: at.Y + 1.2*markerSize*vg.Length(math.Sin(a)),
			}
			if i == 0 {
				p.Move(corner)
			} else {
				p.Line(corner)
			}
		}
	}
	p.Close()
	c.SetColor(s.color())
	if hollow {
		c.SetColor(paper)
	}
	c.Fill(p)
	c.SetLineStyle(draw.LineStyle{Color: s.color(), Width: 1})
	c.Stroke(p)
}

// pen is how text is written. The fonts are those of the binary.
type pen struct{ handler text.Handler }

func newPen() pen {
	return pen{text.Plain{Fonts: plotfont.NewCache(liberation.Collection())}}
}

func (p pen) style(size vg.Length, bold bool) text.Style {
	f := plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = font.WeightBold
	}
	return text.Style{Color: ink, Font: f, XAlign: text.XLeft, YAlign: text.YBottom, Handler: p.handler}
}
