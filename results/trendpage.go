package results

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
)

//go:embed trendpage.html
var trendPage string

// WriteHTML writes the trend as one page that needs nothing else: every series with
// its change points, and the version of hdbench at each.
func (t *Trend) WriteHTML(w io.Writer) error {
	page, err := template.New("trend").Parse(trendPage)
	if err != nil {
		return fmt.Errorf("trend page: %w", err)
	}
	var groups []groupView
	for i := range t.Groups {
		groups = append(groups, t.Groups[i].view())
	}
	if err := page.Execute(w, groups); err != nil {
		return fmt.Errorf("trend page: %w", err)
	}
	return nil
}

// What the page shows: text and places, all worked out here.
type (
	groupView struct {
		Title   string
		About   []string
		Changes *Table
		Heads   []string
		Configs []configView
	}
	configView struct {
		Name   string
		Charts []chartView
	}
	chartView struct {
		Title, Level, Missing, Line string
		Dots                        []dotView
		Gaps                        []dotView
		Levels                      []levelView
		Changes                     []changeView
		Ticks                       []tickView
		From, To                    string
	}
	dotView    struct{ X, Y, Title string }
	levelView  struct{ X1, X2, Y string }
	changeView struct{ X, Text, Title, Kind, Anchor string }
	tickView   struct{ Y, Text string }
)

// The chart's inner area, in the units of its viewBox (see trendpage.html).
const (
	chartLeft, chartRight = 56.0, 630.0
	chartTop, chartBottom = 26.0, 140.0
)

func (g *TrendGroup) view() groupView {
	v := groupView{Title: g.Title(), About: g.about(), Changes: g.changeTable()}
	for _, c := range v.Changes.Columns {
		v.Heads = append(v.Heads, c.full())
	}
	for i := range g.Series {
		s := &g.Series[i]
		if i == 0 || s.Config != g.Series[i-1].Config {
			v.Configs = append(v.Configs, configView{Name: s.Name + " · " + s.Config.Load.String()})
		}
		c := &v.Configs[len(v.Configs)-1]
		c.Charts = append(c.Charts, g.chart(s))
	}
	return v
}

// chart places a series.
func (g *TrendGroup) chart(s *TrendSeries) chartView {
	c := chartView{Title: s.Metric.String(), From: day(g.Nights[0]), To: day(g.newest())}
	n := s.values()
	if n < len(s.Values) {
		c.Missing = s.missing()
	}
	if n == 0 {
		return c
	}
	level := s.Level()
	c.Level = fmt.Sprintf("level %s", s.Metric.show(level.Mean))
	if !math.IsNaN(level.Half) {
		c.Level += " ±" + s.Metric.show(level.Half)
	}
	low, high := s.span()
	y := func(v float64) string { return px(chartBottom - (v-low)/(high-low)*(chartBottom-chartTop)) }
	x := func(night int) float64 {
		if len(g.Nights) == 1 {
			return (chartLeft + chartRight) / 2
		}
		return chartLeft + float64(night)/float64(len(g.Nights)-1)*(chartRight-chartLeft)
	}
	for _, v := range []float64{low, (low + high) / 2, high} {
		c.Ticks = append(c.Ticks, tickView{y(v), s.Metric.show(v)})
	}
	var line strings.Builder
	for i, v := range s.Values {
		head := fmt.Sprintf("%s, hdbench %s: ", day(g.Nights[i]), g.Nights[i].Set.Environment.Hdbench)
		if math.IsNaN(v) {
			c.Gaps = append(c.Gaps, dotView{X: px(x(i)), Title: head + "n/a: " + s.NA[i]})
			continue
		}
		c.Dots = append(c.Dots, dotView{px(x(i)), y(v), head + s.Metric.show(v)})
		if line.Len() > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(px(x(i)) + "," + y(v))
	}
	c.Line = line.String()
	from := slices.IndexFunc(s.Values, func(v float64) bool { return !math.IsNaN(v) })
	_, newest, _ := s.Newest()
	for k := 0; k <= len(s.Points); k++ {
		mean, to := level.Mean, newest
		if k < len(s.Points) {
			mean, to = s.Points[k].Before.Mean, s.Points[k].Last
		}
		c.Levels = append(c.Levels, levelView{px(x(from)), px(x(to)), y(mean)})
		if k < len(s.Points) {
			from = s.Points[k].Index
			c.Changes = append(c.Changes, g.changeMark(s, s.Points[k], (x(s.Points[k].Last)+x(from))/2))
		}
	}
	return c
}

func (g *TrendGroup) changeMark(s *TrendSeries, p TrendPoint, x float64) changeView {
	v := changeView{X: px(x), Kind: "better", Anchor: "middle"}
	if p.Worse {
		v.Kind = "worse"
	}
	switch { // the text stays inside
	case x > chartRight-120:
		v.Anchor = "end"
	case x < chartLeft+120:
		v.Anchor = "start"
	}
	v.Text = fmt.Sprintf("%s %s", v.Kind, s.Metric.change(p.Before.Mean, p.After.Mean))
	v.Title = fmt.Sprintf("%s: %s to %s, p %s, hdbench %s", day(g.Nights[p.Index]), s.Metric.show(p.Before.Mean), s.Metric.show(p.After.Mean), pText(p.P), strings.ReplaceAll(g.versions(p), "\n", " "))
	return v
}

// span is the range of the axis: the values, with some room, and not so narrow that
// noise looks like change.
func (s *TrendSeries) span() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range s.Values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	middle, half := (low+high)/2, (high-low)/2*1.1
	least := 2 * s.Metric.least
	if !s.Metric.absolute {
		least *= math.Abs(middle)
	}
	if half = max(half, least); half == 0 {
		half = 1
	}
	low, high = middle-half, middle+half
	if low < 0 && middle >= 0 { // nothing that is followed is negative
		low = 0
	}
	return low, high
}

func px(v float64) string { return fmt.Sprintf("%.1f", v) }
