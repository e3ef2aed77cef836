package figure

import (
	"bytes"
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Sizes, in points.
const (
	width       = vg.Length(640)
	margin      = vg.Length(10)
	titleHeight = vg.Length(24)
	keyHeight   = vg.Length(16)
	keyBelow    = vg.Length(6)
	panelHeight = vg.Length(180)
	axisHeight  = vg.Length(36)
	barHeight   = vg.Length(26)
	panelGap    = vg.Length(10)

	titleSize = vg.Length(13)
	labelSize = vg.Length(10.5)
	tickSize  = vg.Length(9.5)
)

const pngDPI = 144

// SVG draws the figure, and says where in it the values are.
func (f *Figure) SVG() ([]byte, []Spot, error) {
	p := newPen()
	h := f.height(p)
	canvas := vgsvg.New(width, h)
	spots := f.draw(draw.New(canvas), p)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, nil, fmt.Errorf("draw %s: %w", f.Name, err)
	}
	for i := range spots { // vg counts from below
		spots[i].Y = h.Points() - spots[i].Y - spots[i].H
	}
	return f.finish(b.String(), p), spots, nil
}

// PNG draws the figure in pixels.
func (f *Figure) PNG() ([]byte, error) {
	p := newPen()
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, f.height(p)), vgimg.UseDPI(pngDPI))}
	f.draw(draw.New(canvas), p)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("draw %s: %w", f.Name, err)
	}
	return b.Bytes(), nil
}

func (f *Figure) height(p pen) vg.Length {
	h := 2*margin + titleHeight + axisHeight
	if len(f.Bars) > 0 {
		return h + barHeight*vg.Length(len(f.Bars))
	}
	return h + keyHeight*vg.Length(len(f.keyRows(p))) + keyBelow + panelHeight*vg.Length(len(f.Panels)) + panelGap*vg.Length(len(f.Panels)-1)
}

func (f *Figure) draw(c draw.Canvas, p pen) []Spot {
	c.SetColor(paper)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin-4, margin, -margin)
	title := p.style(titleSize, true)
	c.FillText(title, vg.Point{X: c.Min.X, Y: c.Max.Y - titleSize}, f.Title)
	c.Max.Y -= titleHeight
	if len(f.Bars) > 0 {
		return f.drawBars(c, p)
	}
	c.Max.Y -= f.drawKey(c, p)
	return f.drawPanels(c, p)
}

// key is one entry of the legend.
type key struct {
	name     string
	style    Style
	identity bool
	width    vg.Length
}

const (
	keyLine = vg.Length(28)
	keyGap  = vg.Length(16)
)

// keyRows lays the legend out in rows of the figure's width.
func (f *Figure) keyRows(p pen) [][]key {
	var rows [][]key
	seen := map[string]bool{}
	x := width
	add := func(k key) {
		if seen[k.name] {
			return
		}
		seen[k.name] = true
		k.width = keyLine + 4 + p.style(labelSize, false).Width(k.name) + keyGap
		if len(rows) == 0 || x+k.width-keyGap > width-2*margin {
			rows, x = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], k)
		x += k.width
	}
	for _, panel := range f.Panels {
		for _, s := range panel.Series {
			add(key{name: s.Name, style: s.Style})
		}
	}
	for _, panel := range f.Panels {
		if panel.Identity != "" {
			add(key{name: panel.Identity, identity: true})
		}
	}
	return rows
}

func (f *Figure) drawKey(c draw.Canvas, p pen) vg.Length {
	rows := f.keyRows(p)
	style := p.style(labelSize, false)
	for i, row := range rows {
		at := vg.Point{X: c.Min.X, Y: c.Max.Y - keyHeight*vg.Length(i) - keyHeight/2}
		for _, k := range row {
			line := k.style.line()
			if k.identity {
				line = identityLine()
			}
			c.StrokeLine2(line, at.X, at.Y, at.X+keyLine, at.Y)
			if !k.identity {
				k.style.draw(&c, vg.Point{X: at.X + keyLine/2, Y: at.Y}, false)
			}
			c.FillText(style, vg.Point{X: at.X + keyLine + 4, Y: middle(at.Y, labelSize)}, k.name)
			at.X += k.width
		}
	}
	return keyHeight*vg.Length(len(rows)) + keyBelow
}

// middle is the baseline of text of a size that is to stand about y: capitals and
// digits are some 0.72 of a size high.
func middle(y, size vg.Length) vg.Length { return y - 0.36*size }

func identityLine() draw.LineStyle { return draw.LineStyle{Color: faint, Width: 0.8} }

func (f *Figure) drawPanels(c draw.Canvas, p pen) []Spot {
	plots := make([][]*plot.Plot, len(f.Panels))
	all := make([][]*seriesPlotter, len(f.Panels))
	x0, x1 := f.X.span(f.values(func(pt Point) []float64 { return []float64{pt.X} }))
	for i := range f.Panels {
		panel := &f.Panels[i]
		g := p.plot(f.X, panel.Y, i < len(f.Panels)-1)
		var ys []float64
		for _, s := range panel.Series {
			for _, pt := range s.Points {
				ys = append(ys, pt.Y, pt.Lo, pt.Hi)
			}
		}
		y0, y1 := panel.Y.span(ys)
		g.Add(gridOf())
		if panel.Identity != "" {
			g.Add(identity{})
		}
		for j := range panel.Series {
			s := &seriesPlotter{Series: &panel.Series[j]}
			all[i] = append(all[i], s)
			g.Add(s)
		}
		g.X.Min, g.X.Max, g.Y.Min, g.Y.Max = x0, x1, y0, y1
		plots[i] = []*plot.Plot{g}
	}
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: panelGap}
	canvases := plot.Align(plots, tiles, c)
	var spots []Spot
	for i := range plots {
		plots[i][0].Draw(canvases[i][0])
		for _, s := range all[i] {
			spots = append(spots, s.spots...)
		}
	}
	return spots
}

func (f *Figure) values(of func(Point) []float64) []float64 {
	var vs []float64
	for _, p := range f.Panels {
		for _, s := range p.Series {
			for _, pt := range s.Points {
				vs = append(vs, of(pt)...)
			}
		}
	}
	return vs
}

// plot is an empty pair of axes in our fonts.
func (p pen) plot(x, y Axis, silent bool) *plot.Plot {
	g := plot.New()
	g.TextHandler = p.handler
	g.BackgroundColor = nil
	for _, a := range []struct {
		to   *plot.Axis
		axis Axis
	}{{&g.X, x}, {&g.Y, y}} {
		label, tick := p.style(labelSize, false), p.style(tickSize, false)
		label.XAlign, label.YAlign = a.to.Label.TextStyle.XAlign, a.to.Label.TextStyle.YAlign
		tick.XAlign, tick.YAlign = a.to.Tick.Label.XAlign, a.to.Tick.Label.YAlign
		a.to.Label.TextStyle, a.to.Tick.Label = label, tick
		a.to.Label.Text = a.axis.Label
		a.to.Label.Padding = 4
		a.to.Padding = 0
		a.to.Tick.Marker = ticks{axis: a.axis}
		if a.axis.Log {
			a.to.Scale = plot.LogScale{}
		}
	}
	if silent {
		g.X.Label.Text = ""
		g.X.Tick.Marker = ticks{axis: x, silent: true}
	}
	return g
}

func gridOf() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = grid, grid
	g.Vertical.Width, g.Horizontal.Width = 0.5, 0.5
	return g
}
