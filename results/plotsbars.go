package results

import (
	"fmt"
	"math"

	"hdbench/results/figure"
)

// ceilings are the ceilings of a load's configurations, a figure a load.
func (p *plots) ceilings(ceilings []Ceiling) []*figure.Figure {
	var out []*figure.Figure
	for _, load := range p.loads {
		f := &figure.Figure{
			Name: p.file("ceilings", load), Title: "Ceilings: " + load.String(),
			Alt: "A bar for each configuration's ceiling with its 95 % interval. The numbers are in the tables of this section.",
			X:   figure.Axis{Label: "ceiling: highest mean delivered rate (Mbps)"},
		}
		for _, c := range ceilings {
			if c.Config.Load != load {
				continue
			}
			name := p.names[c.Config]
			bar := figure.Bar{Name: name, Style: p.styles[name], Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), Text: na}
			if c.At != nil {
				d := c.Delivered
				bar.Value, bar.Lo, bar.Hi = d.Value/1e6, math.Max(0, d.Lo)/1e6, d.Hi/1e6
				bar.Text = c.value() + " Mbps"
				if !math.IsNaN(d.Lo) {
					bar.Text += " (" + c.interval() + ")"
				}
			}
			f.Bars = append(f.Bars, bar)
		}
		out = appendFigure(out, f)
	}
	return out
}

// taxes is what TLS takes of the ceiling of plain TCP, same relay, same workers:
// 1 − ceiling(TLS) / ceiling(TCP).
func (p *plots) taxes(ceilings []Ceiling) []*figure.Figure {
	var out []*figure.Figure
	for _, load := range p.loads {
		f := &figure.Figure{
			Name: p.file("ktls-tax", load), Title: "What TLS takes of the ceiling: " + load.String(),
			Alt: "A bar for each configuration with TLS: 1 − its ceiling / the ceiling of plain TCP, with its 95 % interval. The numbers are in the tables of this section.",
			X:   figure.Axis{Label: "tax: 1 − ceiling / ceiling of plain TCP (%)"},
		}
		for _, cost := range TransportCosts(ceilings) {
			for i := range cost.Ceilings {
				c := &cost.Ceilings[i]
				if c.Config.Load != load || c.Config == cost.Base.Config {
					continue
				}
				tax := TaxOf(c, cost.Base)
				bar := figure.Bar{Name: p.names[c.Config], Style: p.styles[p.names[c.Config]], Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), Text: tax.String()}
				if tax.NA == "" {
					bar.Value, bar.Lo, bar.Hi = 100*tax.Value, 100*tax.Lo, 100*tax.Hi
				}
				f.Bars = append(f.Bars, bar)
			}
		}
		out = appendFigure(out, f)
	}
	return out
}

// plots are the published figures, drawn as ours are; they have no intervals.
func (p *Published) plots() (sweep, tax []*figure.Figure) {
	nan := math.NaN()
	styles := map[string]figure.Style{}
	var series []figure.Series
	for _, f := range p.of("delivered") {
		name := f.config()
		if _, has := styles[name]; !has {
			styles[name] = figure.Style(len(styles))
			series = append(series, figure.Series{Name: name, Style: styles[name]})
		}
		if f.Value == nil {
			continue
		}
		s := &series[styles[name]]
		s.Points = append(s.Points, figure.Point{
			X: float64(f.OfferedMbps), Y: *f.Value, Lo: nan, Hi: nan,
			Text: fmt.Sprintf("%s\noffered %d Mbps\ndelivered %s Mbps, as published", name, f.OfferedMbps, f.Printed),
		})
	}
	sweep = appendFigure(nil, &figure.Figure{
		Name: "rate-sweep", Title: "Published, not measured here: delivered over offered",
		Alt: alt("Published delivered rate over the offered rate", series), X: offeredAxis(),
		Panels: []figure.Panel{{Y: figure.Axis{Label: "delivered (Mbps)"}, Series: series, Identity: "delivered = offered"}},
	})
	bars := &figure.Figure{
		Name: "ktls-tax", Title: "Published, not measured here: what kTLS takes of the ceiling",
		Alt: "A bar for each number of workers: the published kTLS tax. The numbers are in the tables of this section.",
		X:   figure.Axis{Label: "tax: 1 − ceiling / ceiling of plain TCP (%)"},
	}
	for _, f := range p.of("tax") {
		if f.Transport == "" && f.Value != nil {
			name := fmt.Sprintf("%s kTLS %s", f.Relay, plural(f.Workers, "worker"))
			bars.Bars = append(bars.Bars, figure.Bar{Name: name, Style: styles[name], Value: *f.Value, Lo: nan, Hi: nan, Text: f.Printed})
		}
	}
	return sweep, appendFigure(nil, bars)
}
