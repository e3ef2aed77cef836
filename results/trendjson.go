package results

import (
	"encoding/json"
	"io"
	"time"
)

// The trend for programs. Values are in the metric's unit; null is n/a.
type (
	trendJSON struct {
		Schema int              `json:"schema"`
		Groups []trendGroupJSON `json:"groups"`
	}
	trendGroupJSON struct {
		Scenario string            `json:"scenario"`
		Apart    []string          `json:"apart,omitempty"` // in what it differs from the first group
		Nights   []trendNightJSON  `json:"nights"`
		Series   []trendSeriesJSON `json:"series"`
	}
	trendNightJSON struct {
		Dir     string    `json:"dir"`
		Started time.Time `json:"started"`
		Hdbench string    `json:"hdbench"`
	}
	trendSeriesJSON struct {
		Name         string            `json:"name"`
		Config       Config            `json:"config"`
		Metric       string            `json:"metric"`
		Unit         string            `json:"unit"`
		Better       string            `json:"better"`
		Values       []*float64        `json:"values"` // a night each
		NA           map[int]string    `json:"na,omitempty"`
		Level        *float64          `json:"level"`
		ChangePoints []trendChangeJSON `json:"change_points"`
	}
	trendChangeJSON struct {
		Night  int      `json:"night"`      // index of the first of the new level
		Last   int      `json:"last_night"` // index of the last of the old one
		Before *float64 `json:"before"`
		After  *float64 `json:"after"`
		P      float64  `json:"p"`
		Worse  bool     `json:"worse"`
	}
)

// WriteJSON writes the trend for programs.
func (t *Trend) WriteJSON(w io.Writer) error {
	out := trendJSON{Schema: SchemaVersion, Groups: []trendGroupJSON{}}
	for i := range t.Groups {
		out.Groups = append(out.Groups, t.Groups[i].json())
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func (g *TrendGroup) json() trendGroupJSON {
	out := trendGroupJSON{Scenario: g.newest().Set.Environment.Scenario, Apart: g.Apart, Series: []trendSeriesJSON{}}
	for _, n := range g.Nights {
		out.Nights = append(out.Nights, trendNightJSON{n.Set.Dir, n.Set.Environment.Started, n.Set.Environment.Hdbench})
	}
	for i := range g.Series {
		s := &g.Series[i]
		m := s.Metric
		one := trendSeriesJSON{
			Name: s.Name, Config: s.Config, Metric: m.String(), Unit: m.unit(), Better: "higher", ChangePoints: []trendChangeJSON{},
			Level: orNull(s.Level().Mean * m.scale), NA: map[int]string{},
		}
		if m.UpIsBad {
			one.Better = "lower"
		}
		for night, v := range s.Values {
			one.Values = append(one.Values, orNull(v*m.scale))
			if s.NA[night] != "" {
				one.NA[night] = s.NA[night]
			}
		}
		for _, p := range s.Points {
			one.ChangePoints = append(one.ChangePoints, trendChangeJSON{
				p.Index, p.Last, orNull(p.Before.Mean * m.scale), orNull(p.After.Mean * m.scale), p.P, p.Worse,
			})
		}
		out.Series = append(out.Series, one)
	}
	return out
}
