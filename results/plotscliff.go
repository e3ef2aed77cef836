package results

import (
	"fmt"
	"math"

	"hdbench/results/figure"
	"hdbench/results/stat"
)

// cliff is quantities over the delivered rate, a figure a load, a panel each
// quantity.
func (p *plots) cliff(name, title string, cliffs []CliffResult) []*figure.Figure {
	var out []*figure.Figure
	for _, load := range p.loads {
		f := &figure.Figure{
			Name: p.file(name, load), Title: title + ": " + load.String(),
			X: figure.Axis{Label: "delivered (Mbps)"},
		}
		for _, e := range evidenceOf(cliffs) {
			var series []figure.Series
			for i := range cliffs {
				if c := &cliffs[i]; c.Config.Load == load && c.evidence == e && len(c.rungs) > 0 {
					series = append(series, p.overDelivered(c))
				}
			}
			f.Panels = append(f.Panels, figure.Panel{Y: figure.Axis{Label: fmt.Sprintf("%s (%s)", e.name, e.unit)}, Series: series})
			f.Alt = alt(title+",", series)
		}
		out = appendFigure(out, f)
	}
	return out
}

func (p *plots) overDelivered(c *CliffResult) figure.Series {
	name := p.names[c.Config]
	s := figure.Series{Name: name, Style: p.styles[name]}
	scale := 1.0
	if c.evidence.unit == "%" {
		scale = 100
	}
	for _, r := range c.rungs {
		v := stat.Summarize(r.values)
		text := fmt.Sprintf("%s\ndelivered %s Mbps\n%s %s%s", name, mbps(r.load), c.evidence.name, c.evidence.print(v.Mean), c.evidence.suffix())
		if c.evidence.unit != "%" {
			text += " " + c.evidence.unit
		}
		if !math.IsNaN(v.Half) {
			text += ", 95 % CI ±" + c.evidence.print(v.Half)
		}
		if c.Found && r.load == c.Cliff.To {
			text += "\nfirst load above the flat part"
		}
		s.Points = append(s.Points, figure.Point{
			X: r.load / 1e6, Y: scale * v.Mean, Lo: scale * math.Max(0, v.Mean-v.Half), Hi: scale * (v.Mean + v.Half), Text: text,
		})
	}
	return s
}
