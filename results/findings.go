package results

import (
	"fmt"
	"math"
	"slices"

	"hdbench/results/stat"
)

// findings are what the data say in sentences. Each has its numbers and its
// interval, and stands only where the interval leaves out "no effect"; where the
// data do not carry a sentence there is none. Every interval is for itself: they
// are not corrected for how many there are, which is said beside them.
type findings struct {
	points    []*PointStats
	ceilings  []Ceiling
	versus    []Versus
	names     map[Config]string
	manyLoads bool
	lines     []string
}

// Findings are the key findings of a sweep, and if there is none, why.
func Findings(points []*PointStats, ceilings []Ceiling, versus []Versus, cliffs []CliffResult, profiles []Profiled) []string {
	f := &findings{points: points, ceilings: ceilings, versus: versus, names: namesOf(points)}
	for _, p := range points {
		f.manyLoads = f.manyLoads || p.Point.Load != points[0].Point.Load
	}
	for _, c := range f.bests() {
		f.ceiling(c)
	}
	for i := range versus {
		f.versusTS(&versus[i])
		f.cost(&versus[i])
	}
	f.workers()
	f.tax()
	for i := range ceilings {
		f.collapse(&ceilings[i])
	}
	for _, c := range f.bests() {
		f.limit(c)
	}
	for i := range cliffs {
		f.cliff(&cliffs[i])
	}
	f.profiles(profiles)
	if len(f.lines) == 0 {
		return []string{"None: " + f.whyNone()}
	}
	return append(f.lines, "Every sentence stands on a 95 % interval of its own; they are not corrected for their number.")
}

func (f *findings) whyNone() string {
	valid, most := 0, 0
	for _, p := range f.points {
		valid += p.Valid
		most = max(most, p.Valid)
	}
	switch {
	case len(f.points) == 0:
		return "no trial has been made yet."
	case valid == 0:
		return "no trial is valid, so no number here can be trusted; Validity has the reasons."
	case most < 2:
		return "no point has two valid runs, so no number here has an interval."
	default:
		return "every interval is too wide, or holds that there is no effect."
	}
}

func (f *findings) say(load Shape, format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if f.manyLoads {
		s = load.String() + ": " + s
	}
	f.lines = append(f.lines, s)
}

// bests are the best ceilings of each relay, by load and transport, of those that
// have an interval that is not too wide.
func (f *findings) bests() []*Ceiling {
	type key struct {
		load             Shape
		relay, transport string
	}
	var order []key
	best := map[key]*Ceiling{}
	for i := range f.ceilings {
		c := &f.ceilings[i]
		k := key{c.Config.Load, c.Config.Relay, c.Config.Transport}
		if !hasInterval(c) {
			continue
		}
		if best[k] == nil {
			order = append(order, k)
		}
		if best[k] == nil || better(c, best[k]) {
			best[k] = c
		}
	}
	var out []*Ceiling
	for _, k := range order {
		out = append(out, best[k])
	}
	return out
}

func hasInterval(c *Ceiling) bool {
	return c.At != nil && c.Delivered.Half() <= 0.5*stat.TooWide*c.Delivered.Value // not with NaN
}

// ceiling says what a relay's best configuration carries.
func (f *findings) ceiling(c *Ceiling) {
	d := c.Delivered
	interval := fmt.Sprintf("95 %% CI %s to %s, n = %d", mbps(d.Lo), mbps(d.Hi), d.N)
	if c.AtLeast {
		f.say(c.Config.Load, "%s delivers at least %s Mbps (%s): %s.", f.names[c.Config], mbps(d.Value), interval, c.Why)
		return
	}
	lost := "nothing is lost"
	if c.At.Loss > 0 {
		lost = percent(c.At.Loss) + " % are lost"
	}
	f.say(c.Config.Load, "%s has its ceiling at %s Mbps delivered (%s), where %s Mbps are offered and %s.",
		f.names[c.Config], mbps(d.Value), interval, offeredCell(c.At), lost)
}

// limit says what stopped a configuration.
func (f *findings) limit(c *Ceiling) {
	if c.Limit.What == NotReached || c.Limit.What == Unclear {
		return
	}
	f.say(c.Config.Load, "%s", c.Limit.note(f.names[c.Config]))
}

// versusTS says how many times TS's ceiling each relay carries: over the same
// transport, and beside TS over TLS.
func (f *findings) versusTS(v *Versus) {
	for _, r := range v.bests() {
		type side struct {
			ts *Ceiling
			b  Bounded
		}
		sides := []side{{r.Same, r.OfSame}}
		if r.TLS != r.Same {
			sides = append(sides, side{r.TLS, r.OfTLS})
		}
		for _, side := range sides {
			if side.ts == nil || !side.b.more() && !side.b.less() {
				continue
			}
			f.say(v.Load, "%s carries %s%s times what TS (%s) carries (%s).",
				f.names[r.Ceiling.Config], side.b.Bound.words(), number(side.b.Value), f.names[side.ts.Config], interval(side.b.Ratio))
		}
	}
}

// words is the bound in a sentence.
func (b Bound) words() string {
	return map[Bound]string{AtLeast: "at least ", AtMost: "at most "}[b]
}

// bests are the best configurations of each relay but TS and each transport.
func (v *Versus) bests() []*VersusRow {
	var best []*VersusRow
	for i := range v.Rows {
		r := &v.Rows[i]
		if r.Ceiling.At == nil || r.IsTS {
			continue
		}
		j := slices.IndexFunc(best, func(b *VersusRow) bool {
			return b.Ceiling.Config.Relay == r.Ceiling.Config.Relay && b.Ceiling.Config.Transport == r.Ceiling.Config.Transport
		})
		switch {
		case j < 0:
			best = append(best, r)
		case better(&r.Ceiling, &best[j].Ceiling):
			best[j] = r
		}
	}
	return best
}

// cost says what a delivered Gbit costs in CPU time, at one offered rate.
func (f *findings) cost(v *Versus) {
	for _, r := range v.bests() {
		p := v.At[r.Ceiling.Config]
		if p == nil || r.Same == nil || v.At[r.Same.Config] == nil {
			continue
		}
		base := v.At[r.Same.Config]
		q := stat.RatioOf(p.CPUPerGbit, base.CPUPerGbit)
		if math.IsNaN(q.Lo) || q.Lo <= 1 && q.Hi >= 1 || p.CostRuns == 0 || base.CostRuns == 0 {
			continue
		}
		lossy := ""
		if v.Lossy {
			lossy = "; not all of it is delivered by both"
		}
		f.say(v.Load, "At %v offered, %s uses %s times the CPU time per delivered Gbit that TS (%s) uses (%s; %s and %s CPU-s/Gbit%s).",
			v.Rate, f.names[r.Ceiling.Config], number(q.Value), f.names[r.Same.Config], interval(q),
			number(p.CPUPerGbit.Mean), number(base.CPUPerGbit.Mean), lossy)
	}
}

// workers says what more workers bring: most against fewest.
func (f *findings) workers() {
	few := map[Config]*Ceiling{}
	many := map[Config]*Ceiling{}
	var order []Config
	for i := range f.ceilings {
		c := &f.ceilings[i]
		k := c.Config
		k.Workers = 0
		if few[k] == nil {
			order = append(order, k)
			few[k], many[k] = c, c
		}
		if c.Config.Workers < few[k].Config.Workers {
			few[k] = c
		}
		if c.Config.Workers > many[k].Config.Workers {
			many[k] = c
		}
	}
	for _, k := range order {
		a, b := many[k], few[k]
		if a == b || a.At == nil || b.At == nil {
			continue
		}
		r := compareCeilings(a, b)
		if !r.more() && !r.less() {
			continue
		}
		f.say(k.Load, "%s carries %s%s times what %s carries (%s).",
			f.names[a.Config], r.Bound.words(), number(r.Value), f.names[b.Config], interval(r.Ratio))
	}
}

// tax says what TLS takes of the ceiling.
func (f *findings) tax() {
	for _, cost := range TransportCosts(f.ceilings) {
		for i := range cost.Ceilings {
			c := &cost.Ceilings[i]
			if c.Config == cost.Base.Config {
				continue
			}
			tax := TaxOf(c, cost.Base)
			more, less := tax.Lo > 0, tax.Hi < 0
			bound := ""
			switch {
			case tax.NA != "" || math.IsNaN(tax.Lo) || !more && !less:
				continue
			case tax.AtLeast && less, tax.AtMost && more:
				continue // the bound leaves "none" possible
			case tax.AtLeast:
				bound = "at least "
			case tax.AtMost:
				bound = "at most "
			}
			f.say(c.Config.Load, "%s: %s takes %s%s %% of the ceiling of plain TCP (95 %% CI %s to %s %%).",
				f.names[c.Config], c.Config.Transport, bound, signedPercent(tax.Value), signedPercent(tax.Lo), signedPercent(tax.Hi))
		}
	}
}

// collapse is how far a relay must fall behind its own ceiling, under more load,
// to be said to collapse.
const collapse = 0.9

// collapses reports whether a configuration delivers less under more load, what is
// left of its ceiling and where.
func (f *findings) collapses(c *Ceiling) (r stat.Ratio, top *PointStats, ok bool) {
	if c.At == nil {
		return r, nil, false
	}
	for _, p := range f.points {
		if p.Point.Config == c.Config && p.Valid > 0 && !p.AtLeast() {
			top = p
		}
	}
	if top == nil || top.Point.Offered <= c.At.Point.Offered {
		return r, nil, false
	}
	r = stat.RatioOfEstimates(stat.EstimateOf(top.DeliveredBps), c.Delivered)
	return r, top, !math.IsNaN(r.Hi) && r.Hi < collapse
}

// collapse says which configuration does so.
func (f *findings) collapse(c *Ceiling) {
	r, top, ok := f.collapses(c)
	if !ok {
		return
	}
	f.say(c.Config.Load, "%s collapses under overload: of the %s Mbps of its ceiling %s %% are left (95 %% CI %s to %s %%) where %s Mbps are offered.",
		f.names[c.Config], mbps(c.Delivered.Value), percent(r.Value), percent(r.Lo), percent(r.Hi), offeredCell(top))
}

func offeredCell(p *PointStats) string {
	if p.Point.Offered.IsMax() {
		return "max"
	}
	return mbps(float64(p.Point.Offered))
}
