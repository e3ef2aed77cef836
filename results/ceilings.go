package results

import (
	"math"
	"slices"
	"strings"
)

// Ceiling is the most a configuration delivered: the highest mean delivered rate
// over its valid points.
type Ceiling struct {
	Config Config
	At     *PointStats // where it was reached; nil if no point is valid
	NA     string      // why there is none
	// AtLeast says that the true ceiling may be higher: at the highest valid
	// offered rate the relay still delivered all of it, or rates above were left
	// out because the client was at its limit.
	AtLeast bool
	Why     string // of AtLeast, in words
}

// saturated is how much of the offered rate a relay must fail to deliver to show
// that it was at its limit.
const saturated = 0.02

// Ceilings finds each configuration's ceiling, in the order of the points.
func Ceilings(points []*PointStats) []Ceiling {
	var cs []Ceiling
	for i := 0; i < len(points); {
		j := i
		for j < len(points) && points[j].Point.Config == points[i].Point.Config {
			j++
		}
		cs = append(cs, ceiling(points[i:j]))
		i = j
	}
	return cs
}

func ceiling(points []*PointStats) Ceiling {
	c := Ceiling{Config: points[0].Point.Config}
	var top *PointStats // highest valid offered rate
	for _, p := range points {
		if p.Valid == 0 {
			continue
		}
		top = p
		if c.At == nil || p.DeliveredBps.Mean > c.At.DeliveredBps.Mean {
			c.At = p
		}
	}
	if c.At == nil {
		c.NA = whyNoCeiling(points)
		return c
	}
	offered := float64(top.Point.Offered)
	switch last := points[len(points)-1]; {
	case top.Point.Offered.IsMax():
	case c.At == top && top.DeliveredBps.Mean > (1-saturated)*offered:
		c.AtLeast = true
		c.Why = "all that was offered was delivered at the highest valid rate"
		if last != top && last.Marks != "" {
			c.Why += "; above it the trials are marked " + last.Marks
		}
	}
	return c
}

func whyNoCeiling(points []*PointStats) string {
	failed, invalid := 0, ""
	for _, p := range points {
		if p.NA != "" {
			return p.NA
		}
		failed += p.Failed
		for _, m := range p.Marks {
			if !strings.ContainsRune(invalid, m) {
				invalid += string(m)
			}
		}
	}
	switch {
	case invalid != "":
		return "no valid trial (marks " + invalid + ")"
	case failed > 0:
		return "every trial failed"
	default:
		return "no trial"
	}
}

// commonRates are the offered rates at which every configuration has a valid
// point, ascending.
func commonRates(configs []Config, points []*PointStats) []*commonRate {
	byRate := map[float64]*commonRate{}
	var order []*commonRate
	for _, p := range points {
		if p.Valid == 0 || p.Point.Offered.IsMax() || !slices.Contains(configs, p.Point.Config) {
			continue
		}
		o := float64(p.Point.Offered)
		if byRate[o] == nil {
			byRate[o] = &commonRate{offered: o, at: map[Config]*PointStats{}, worst: 1}
			order = append(order, byRate[o])
		}
		r := byRate[o]
		r.at[p.Point.Config] = p
		r.worst = math.Min(r.worst, p.DeliveredBps.Mean/o)
	}
	var common []*commonRate
	for _, r := range order {
		if len(r.at) == len(configs) {
			common = append(common, r)
		}
	}
	sortBy(common, func(r *commonRate) float64 { return r.offered })
	return common
}

type commonRate struct {
	offered float64
	at      map[Config]*PointStats
	worst   float64 // least share of the offered rate that a configuration delivered
}
