package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawBars draws the bars from the top down, each named at the axis and with its
// value at its end, so that no colour need be told from another.
func (f *Figure) drawBars(c draw.Canvas, p pen) []Spot {
	var values []float64
	var names plot.ConstantTicks
	longest := vg.Length(0)
	for i, b := range f.Bars {
		values = append(values, b.Value, b.Lo, b.Hi)
		names = append(names, plot.Tick{Value: -float64(i), Label: b.Name})
		longest = max(longest, p.style(tickSize, false).Width(b.Text))
	}
	g := p.plot(f.X, Axis{}, false)
	g.Y.Tick.Marker = names
	g.Y.Tick.Length = 0
	bars := &barPlotter{bars: f.Bars, pen: p}
	grid := gridOf()
	grid.Horizontal.Width = 0
	g.Add(grid, bars)
	g.X.Min, g.X.Max = f.X.span(values)
	g.Y.Min, g.Y.Max = -float64(len(f.Bars))+0.5, 0.5
	// Room for the text behind the longest bar.
	c.Max.X -= longest
	g.Draw(c)
	return bars.spots
}

type barPlotter struct {
	bars  []Bar
	pen   pen
	spots []Spot
}

// Plot implements plot.Plotter.
func (b *barPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	label := b.pen.style(tickSize, false)
	zero := trX(0)
	thick := (trY(0) - trY(-1)) * 0.6
	for i, bar := range b.bars {
		y := trY(-float64(i))
		end := zero
		if finite(bar.Value) {
			end = trX(bar.Value)
			var path vg.Path
			path.Move(vg.Point{X: zero, Y: y - thick/2})
			path.Line(vg.Point{X: end, Y: y - thick/2})
			path.Line(vg.Point{X: end, Y: y + thick/2})
			path.Line(vg.Point{X: zero, Y: y + thick/2})
			path.Close()
			c.SetColor(bar.Style.band())
			c.Fill(path)
			c.SetLineStyle(draw.LineStyle{Color: bar.Style.color(), Width: 1})
			c.Stroke(path)
		}
		right := max(end, zero)
		if finite(bar.Lo) && finite(bar.Hi) {
			lo, hi := trX(bar.Lo), trX(bar.Hi)
			whisker := draw.LineStyle{Color: ink, Width: 1}
			c.StrokeLine2(whisker, lo, y, hi, y)
			c.StrokeLine2(whisker, lo, y-thick/5, lo, y+thick/5)
			c.StrokeLine2(whisker, hi, y-thick/5, hi, y+thick/5)
			right = max(right, hi)
		}
		c.FillText(label, vg.Point{X: right + 6, Y: middle(y, tickSize)}, bar.Text)
		b.spots = append(b.spots, Spot{
			X: zero.Points(), Y: (y - thick/2).Points(), W: max(right-zero, spotSize).Points(), H: thick.Points(),
			Text: bar.Name + ": " + bar.Text,
		})
	}
}
