package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"hdbench/internal/units"
	"hdbench/results/figure"
	"hdbench/results/stat"
)

// plots makes a report's figures. A configuration has the same style in all of
// them; the TS baseline is black.
type plots struct {
	points []*PointStats
	trials map[Point][]*Trial // what each point is made of
	names  map[Config]string
	styles map[string]figure.Style
	loads  []Shape
}

func newPlots(set *Set, points []*PointStats) *plots {
	p := &plots{points: points, trials: map[Point][]*Trial{}, names: namesOf(points), styles: map[string]figure.Style{}}
	for _, t := range set.Trials {
		if t.Kind == KindTrial && t.OK() {
			p.trials[t.Point] = append(p.trials[t.Point], t)
		}
	}
	next, baseline := figure.Style(0), false
	for _, pt := range points {
		if !slices.Contains(p.loads, pt.Point.Load) {
			p.loads = append(p.loads, pt.Point.Load)
		}
		name := p.names[pt.Point.Config]
		if _, has := p.styles[name]; has {
			continue
		}
		if pt.Point.Relay == RelayDerper && !baseline {
			p.styles[name], baseline = figure.Baseline, true
			continue
		}
		p.styles[name] = next
		next++
	}
	return p
}

// file names a plot of a load; the load is in it only where there are several.
func (p *plots) file(kind string, load Shape) string {
	if len(p.loads) == 1 {
		return kind
	}
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == 'µ':
			return 'u'
		case r == ' ':
			return '-'
		}
		return -1
	}, load.String())
	return kind + "-" + slug
}

// runsOf are the trials a point's throughput is made of: those that count, or if there
// is none all that have numbers.
func (p *plots) runsOf(pt *PointStats) []*Trial {
	if pt.Valid == 0 {
		return p.trials[pt.Point]
	}
	return pt.counted
}

// of are a load's points that have numbers and a place on the axis, by
// configuration.
func (p *plots) of(load Shape) [][]*PointStats {
	var out [][]*PointStats
	for _, pt := range p.points {
		if pt.Point.Load != load || pt.DeliveredBps.N == 0 || pt.Point.Offered.IsMax() {
			continue
		}
		if n := len(out); n == 0 || out[n-1][0].Point.Config != pt.Point.Config {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], pt)
	}
	return out
}

func (p *plots) series(points []*PointStats, value func(*PointStats) figure.Point) figure.Series {
	name := p.names[points[0].Point.Config]
	s := figure.Series{Name: name, Style: p.styles[name]}
	for _, pt := range points {
		v := value(pt)
		v.X, v.Hollow = pt.Point.Offered.Mbps(), pt.Valid == 0
		v.Text = fmt.Sprintf("%s\noffered %s Mbps\n%s\n%s", name, mbps(float64(pt.Point.Offered)), v.Text, describeRuns(pt))
		s.Points = append(s.Points, v)
	}
	return s
}

func describeRuns(pt *PointStats) string {
	s := plural(pt.Valid, "run")
	if pt.Valid != pt.Runs {
		s += fmt.Sprintf(" of %d", pt.Runs)
	}
	if pt.Marks != "" {
		s += ", marks " + pt.Marks
	}
	return s
}

func offeredAxis() figure.Axis { return figure.Axis{Label: "offered (Mbps)"} }

// alt says what a figure shows and where its numbers stand.
func alt(what string, series []figure.Series) string {
	var names []string
	for _, s := range series {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return what + " of " + strings.Join(names, "; ") + ". The numbers are in the tables of this section."
}

// sweep is delivered and lost over offered, a figure a load.
func (p *plots) sweep() []*figure.Figure {
	var out []*figure.Figure
	for _, load := range p.loads {
		var delivered, loss []figure.Series
		for _, points := range p.of(load) {
			delivered = append(delivered, p.series(points, func(pt *PointStats) figure.Point {
				d := pt.DeliveredBps
				return figure.Point{
					Y: d.Mean / 1e6, Lo: math.Max(0, d.Mean-d.Half) / 1e6, Hi: (d.Mean + d.Half) / 1e6,
					Text: fmt.Sprintf("delivered %s Mbps, 95 %% CI %s", mbps(d.Mean), plusMinus(d.Half/1e6)),
				}
			}))
			loss = append(loss, p.series(points, p.loss))
		}
		out = appendFigure(out, &figure.Figure{
			Name: p.file("rate-sweep", load), Title: "Delivered and lost over offered: " + load.String(), X: offeredAxis(),
			Alt: alt("Delivered rate and loss over the offered rate", delivered),
			Panels: []figure.Panel{
				{Y: figure.Axis{Label: "delivered (Mbps)"}, Series: delivered, Identity: "delivered = offered"},
				{Y: figure.Axis{Label: "loss (%)"}, Series: loss},
			},
		})
	}
	return out
}

// loss is over all packets, as in the tables; its interval is over the runs.
func (p *plots) loss(pt *PointStats) figure.Point {
	var runs []float64
	for _, t := range p.runsOf(pt) {
		if l, ok := t.Load.Loss(); ok {
			runs = append(runs, 100*l)
		}
	}
	s := stat.Summarize(runs)
	v := figure.Point{Y: 100 * pt.Loss, Lo: max(0, s.Mean-s.Half), Hi: min(100, s.Mean+s.Half)}
	v.Text = fmt.Sprintf("loss %s %%", percent(pt.Loss))
	if !math.IsNaN(s.Half) {
		v.Text += fmt.Sprintf(", 95 %% CI %s to %s %%", percent(v.Lo/100), percent(v.Hi/100))
	}
	return v
}

// latency is its percentiles over offered, a figure a load.
func (p *plots) latency() []*figure.Figure {
	var out []*figure.Figure
	for _, load := range p.loads {
		f := &figure.Figure{
			Name: p.file("latency", load), X: offeredAxis(),
			Title: strings.ToUpper(latencyHead(load)[:1]) + latencyHead(load)[1:] + " over offered: " + load.String(),
		}
		for _, q := range []struct {
			name string
			of   func(*PointStats) int64
		}{
			{"p50", func(pt *PointStats) int64 { return pt.latency().P50NS }},
			{"p99", func(pt *PointStats) int64 { return pt.latency().P99NS }},
			{"p99.9", func(pt *PointStats) int64 { return pt.latency().P999NS }},
		} {
			var series []figure.Series
			for _, points := range p.of(load) {
				series = append(series, p.series(points, func(pt *PointStats) figure.Point {
					h, v := pt.latency(), math.NaN()
					if h.Count > 0 {
						v = float64(q.of(pt)) / 1e3
					}
					return figure.Point{
						Y: v, Lo: math.NaN(), Hi: math.NaN(),
						Text: fmt.Sprintf("%s %s %s of %d packets", latencyHead(load), q.name, duration(q.of(pt), h.Count), h.Count),
					}
				}))
			}
			f.Panels = append(f.Panels, figure.Panel{
				Y:      figure.Axis{Label: q.name + " (time, log)", Log: true, Tick: decade},
				Series: series,
			})
			f.Alt = alt("Percentiles 50, 99 and 99.9 of the "+latencyHead(load)+" over the offered rate, logarithmic,", series)
		}
		out = appendFigure(out, f)
	}
	return out
}

// decade writes a power of ten of microseconds.
func decade(us float64) string {
	return strings.Replace(duration(int64(math.Round(us*1e3)), 1), ".0", "", 1)
}

// timeline is the delivered rate of one run of each configuration at its ceiling,
// interval by interval: the run with the median rate.
func (p *plots) timeline(ceilings []Ceiling) []*figure.Figure {
	var out []*figure.Figure
	for _, load := range p.loads {
		var series []figure.Series
		var interval time.Duration
		for _, c := range ceilings {
			if c.Config.Load != load || c.At == nil {
				continue
			}
			run := medianRun(p.runsOf(c.At))
			name := p.names[c.Config]
			s := figure.Series{Name: name + " at " + offeredName(c.At.Point.Offered), Style: p.styles[name]}
			interval = time.Duration(run.Load.IntervalNS)
			for i, bps := range run.Load.IntervalDeliveredBps {
				at := (float64(i) + 0.5) * interval.Seconds()
				s.Points = append(s.Points, figure.Point{
					X: at, Y: bps / 1e6, Lo: math.NaN(), Hi: math.NaN(),
					Text: fmt.Sprintf("%s\nrun %d, %s s into the window\ndelivered %s Mbps", s.Name, run.Run, number(at), mbps(bps)),
				})
			}
			series = append(series, s)
		}
		out = appendFigure(out, &figure.Figure{
			Name: p.file("timeline", load), Title: "One run at the ceiling, interval by interval: " + load.String(),
			Alt:    alt(fmt.Sprintf("Delivered rate of each %v of the measuring window, of the run with the median rate at the ceiling,", interval), series),
			X:      figure.Axis{Label: "time in the measuring window (s)"},
			Panels: []figure.Panel{{Y: figure.Axis{Label: fmt.Sprintf("delivered (Mbps, per %v)", interval)}, Series: series}},
		})
	}
	return out
}

func medianRun(ts []*Trial) *Trial {
	ts = slices.Clone(ts)
	slices.SortFunc(ts, func(a, b *Trial) int {
		switch d := a.Load.DeliveredBps - b.Load.DeliveredBps; {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return a.Run - b.Run
	})
	return ts[(len(ts)-1)/2]
}

func offeredName(r units.Rate) string {
	if r.IsMax() {
		return "max"
	}
	return mbps(float64(r)) + " Mbps"
}

func appendFigure(fs []*figure.Figure, f *figure.Figure) []*figure.Figure {
	if f.Drawable() {
		return append(fs, f)
	}
	return fs
}
