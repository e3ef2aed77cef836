package results

import (
	"math"
	"slices"
	"strings"

	"hdbench/results/stat"
)

// Ceiling is the most a configuration delivered: the highest mean delivered rate
// over all its offered rates, estimated so that choosing the highest does not
// inflate it.
type Ceiling struct {
	Config    Config
	At        *PointStats   // the point with the highest mean; nil if no point counts
	Delivered stat.Estimate // bit/s
	NA        string        // why there is none
	NotHere   bool          // the configuration cannot be measured on this host
	Limit     Limit
	// Carried is the highest offered rate that most runs carried; nil if none was.
	Carried *PointStats
	// AtLeast says that the true ceiling may be higher: the relay was not what
	// stopped it.
	AtLeast bool
	Why     string // of AtLeast, in words
}

// Ceilings finds each configuration's ceiling, in the order of the points.
func Ceilings(points []*PointStats) []Ceiling {
	var cs []Ceiling
	for _, of := range byConfig(points) {
		cs = append(cs, ceiling(of))
	}
	return cs
}

// byConfig are the points of each configuration, which follow each other.
func byConfig(points []*PointStats) [][]*PointStats {
	var all [][]*PointStats
	for i := 0; i < len(points); {
		j := i
		for j < len(points) && points[j].Point.Config == points[i].Point.Config {
			j++
		}
		all = append(all, points[i:j:j])
		i = j
	}
	return all
}

func ceiling(points []*PointStats) Ceiling {
	c := Ceiling{Config: points[0].Point.Config}
	for _, p := range points {
		if p.Valid == 0 {
			continue
		}
		if c.At == nil || p.DeliveredBps.Mean > c.At.DeliveredBps.Mean {
			c.At = p
		}
		if !p.Point.Offered.IsMax() && p.WasCarried() {
			c.Carried = p
		}
	}
	if c.At == nil {
		c.NA = whyNoCeiling(points)
		c.NotHere = slices.ContainsFunc(points, func(p *PointStats) bool { return p.NA != "" })
		return c
	}
	c.Delivered = stat.Highest(deliveredByRun(points))
	c.Limit = limitOf(points)
	if info := limitInfoOf(c.Limit.What); info.bound {
		c.AtLeast, c.Why = true, info.meaning
	} else if c.At.AtLeast() {
		c.AtLeast, c.Why = true, "where the most was delivered the client or the line held some back"
	}
	return c
}

// deliveredByRun are the delivered rates that count, a row a point, a column a run;
// NaN where a point has no such run.
func deliveredByRun(points []*PointStats) [][]float64 {
	var runs []int
	for _, p := range points {
		for _, t := range p.counted {
			runs = append(runs, t.Run)
		}
	}
	slices.Sort(runs)
	runs = slices.Compact(runs)
	var rates [][]float64
	for _, p := range points {
		if len(p.counted) == 0 {
			continue
		}
		row := slices.Repeat([]float64{math.NaN()}, len(runs))
		for _, t := range p.counted {
			i, _ := slices.BinarySearch(runs, t.Run)
			row[i] = t.Load.DeliveredBps
		}
		rates = append(rates, row)
	}
	return rates
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
			byRate[o] = &commonRate{offered: o, at: map[Config]*PointStats{}, carried: true}
			order = append(order, byRate[o])
		}
		r := byRate[o]
		r.at[p.Point.Config] = p
		r.carried = r.carried && p.WasCarried()
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
	carried bool // by every configuration
}
