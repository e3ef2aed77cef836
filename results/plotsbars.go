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
				d := c.At.DeliveredBps
				bar.Value, bar.Lo, bar.Hi = d.Mean/1e6, (d.Mean-d.Half)/1e6, (d.Mean+d.Half)/1e6
				bar.Text = c.value() + " Mbps"
				if !math.IsNaN(d.Half) {
					bar.Text += " " + plusMinus(d.Half/1e6)
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
		for i := range ceilings {
			tls := &ceilings[i]
			plain := plainTCP(tls, ceilings)
			if tls.Config.Load != load || plain == nil {
				continue
			}
			name := p.names[tls.Config]
			bar := figure.Bar{Name: name, Style: p.styles[name], Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), Text: na}
			if bound, ok := taxBound(tls, plain); ok {
				r := RatioOf(tls.At.DeliveredBps, plain.At.DeliveredBps)
				bar.Value, bar.Lo, bar.Hi = 100*(1-r.Value), 100*(1-r.Hi), 100*(1-r.Lo)
				bar.Text = fmt.Sprintf("%s%s %%", bound, signed(bar.Value))
				if !math.IsNaN(r.Lo) {
					bar.Text += fmt.Sprintf(" [%s, %s]", signed(bar.Lo), signed(bar.Hi))
				}
			}
			f.Bars = append(f.Bars, bar)
		}
		out = appendFigure(out, f)
	}
	return out
}

// plainTCP is the ceiling of the same relay with the same settings without TLS;
// nil if c has no TLS, or there is none.
func plainTCP(c *Ceiling, ceilings []Ceiling) *Ceiling {
	if c.Config.Transport == "tcp" {
		return nil
	}
	want := c.Config
	want.Transport = "tcp"
	for i := range ceilings {
		if ceilings[i].Config == want {
			return &ceilings[i]
		}
	}
	return nil
}

// taxBound is ≥ or ≤ where one of the two ceilings is only a lower bound; ok is
// false where that leaves nothing to say.
func taxBound(tls, plain *Ceiling) (bound string, ok bool) {
	switch {
	case tls.At == nil || plain.At == nil || tls.AtLeast && plain.AtLeast:
		return "", false
	case plain.AtLeast:
		return "≥ ", true
	case tls.AtLeast:
		return "≤ ", true
	}
	return "", true
}

// signed is a number with a true minus sign.
func signed(v float64) string {
	if v < 0 {
		return "−" + number(-v)
	}
	return number(v)
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
