package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// seriesPlotter draws one series into one panel and notes where its points went.
type seriesPlotter struct {
	*Series
	spots []Spot
}

// spotSize is how near a pointer must come to a point.
const spotSize = vg.Length(14)

// maxMarkers is how many markers a line has at most; more would hide it.
const maxMarkers = 25

// Plot implements plot.Plotter: the band, the line, the markers.
func (s *seriesPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	at := func(x, y float64) vg.Point { return vg.Point{X: trX(x), Y: trY(y)} }
	drawable := func(v float64) bool { return finite(v) && (v > 0 || p.Y.Scale != plot.LogScale{}) }

	var upper, lower, line []vg.Point
	flush := func() {
		if len(upper) > 1 {
			ring := upper
			for i := len(lower) - 1; i >= 0; i-- {
				ring = append(ring, lower[i])
			}
			c.FillPolygon(s.Style.band(), c.ClipPolygonXY(ring))
		}
		upper, lower = nil, nil
	}
	for _, pt := range s.Points {
		if !drawable(pt.Y) || pt.Hollow || !drawable(pt.Lo) || !finite(pt.Hi) {
			flush()
			continue
		}
		upper, lower = append(upper, at(pt.X, pt.Hi)), append(lower, at(pt.X, pt.Lo))
	}
	flush()

	var last *vg.Point // the point before, to which a doubtful one is tied
	for _, pt := range s.Points {
		if !drawable(pt.Y) {
			continue
		}
		here := at(pt.X, pt.Y)
		if pt.Hollow {
			if last != nil {
				c.StrokeLines(draw.LineStyle{Color: s.Style.color(), Width: 0.8, Dashes: []vg.Length{1, 2}}, []vg.Point{*last, here})
			}
		} else {
			line = append(line, here)
		}
		last = &here
	}
	c.StrokeLines(s.Style.line(), c.ClipLinesXY(line)...)

	every := (len(s.Points) + maxMarkers - 1) / maxMarkers
	for i, pt := range s.Points {
		if !drawable(pt.Y) {
			continue
		}
		here := at(pt.X, pt.Y)
		if finite(pt.Lo) && finite(pt.Hi) && drawable(pt.Lo) && !pt.Hollow {
			c.StrokeLine2(draw.LineStyle{Color: s.Style.color(), Width: 0.8}, here.X, trY(pt.Lo), here.X, trY(pt.Hi))
		}
		if i%every == 0 || pt.Hollow {
			s.Style.draw(&c, here, pt.Hollow)
		}
		if pt.Text != "" {
			s.spots = append(s.spots, Spot{
				X: (here.X - spotSize/2).Points(), Y: (here.Y - spotSize/2).Points(),
				W: spotSize.Points(), H: spotSize.Points(), Text: pt.Text,
			})
		}
	}
}

// identity draws y = x as far as the panel goes.
type identity struct{}

// Plot implements plot.Plotter.
func (identity) Plot(c draw.Canvas, p *plot.Plot) {
	end := min(p.X.Max, p.Y.Max)
	trX, trY := p.Transforms(&c)
	c.StrokeLine2(identityLine(), trX(0), trY(0), trX(end), trY(end))
}
