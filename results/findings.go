package results

import (
	"fmt"
	"math"
	"slices"
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

// loose is how wide, as a share of the mean to each side, the interval of a
// ceiling may be for a sentence to stand on it.
const loose = 0.25

func hasInterval(c *Ceiling) bool {
	return c.At != nil && c.At.DeliveredBps.Half <= loose*c.At.DeliveredBps.Mean // not with NaN
}

// ceiling says what a relay's best configuration carries.
func (f *findings) ceiling(c *Ceiling) {
	d := c.At.DeliveredBps
	interval := fmt.Sprintf("95 %% CI %s to %s, n = %d", mbps(d.Mean-d.Half), mbps(d.Mean+d.Half), d.N)
	if c.AtLeast {
		f.say(c.Config.Load, "%s delivers at least %s Mbps (%s): %s.", f.names[c.Config], mbps(d.Mean), interval, c.Why)
		return
	}
	lost := "nothing is lost"
	if c.At.Loss > 0 {
		lost = percent(c.At.Loss) + " % are lost"
	}
	f.say(c.Config.Load, "%s has its ceiling at %s Mbps delivered (%s), where %s Mbps are offered and %s.",
		f.names[c.Config], mbps(d.Mean), interval, offeredCell(c.At), lost)
}

// versusTS says how many times TS's ceiling each relay carries.
func (f *findings) versusTS(v *Versus) {
	if v.Baseline == nil {
		return
	}
	for _, c := range f.bestOf(v) {
		r := RatioOf(c.At.DeliveredBps, v.Baseline.At.DeliveredBps)
		bound, ok := boundOf(c, v.Baseline, r)
		if !ok {
			continue
		}
		f.say(v.Load, "%s carries %s%s times what TS (%s) carries (95 %% CI %s to %s).",
			f.names[c.Config], bound, number(r.Value), f.names[v.Baseline.Config], number(r.Lo), number(r.Hi))
	}
}

// boundOf says how a ratio of two ceilings may be put, where either may be only a
// lower bound; ok is false where the interval holds 1, or the bound leaves it
// possible.
func boundOf(c, of *Ceiling, r Ratio) (bound string, ok bool) {
	more, less := r.Lo > 1, r.Hi < 1
	switch {
	case math.IsNaN(r.Lo) || !more && !less || c.AtLeast && of.AtLeast:
		return "", false
	case c.AtLeast:
		return "at least ", more
	case of.AtLeast:
		return "at most ", less
	}
	return "", true
}

// bestOf are the best configurations of each relay but TS, of those that have an
// interval.
func (f *findings) bestOf(v *Versus) []*Ceiling {
	var best []*Ceiling
	for i := range v.Ceilings {
		c := &v.Ceilings[i]
		if !hasInterval(c) || c.Config.Relay == RelayDerper {
			continue
		}
		j := slices.IndexFunc(best, func(b *Ceiling) bool { return b.Config.Relay == c.Config.Relay })
		switch {
		case j < 0:
			best = append(best, c)
		case better(c, best[j]):
			best[j] = c
		}
	}
	return best
}

// cost says what a delivered Gbit costs in CPU time, at one offered rate.
func (f *findings) cost(v *Versus) {
	if v.Baseline == nil || v.At == nil || v.At[v.Baseline.Config] == nil {
		return
	}
	base := v.At[v.Baseline.Config]
	for _, c := range f.bestOf(v) {
		p := v.At[c.Config]
		if p == nil {
			continue
		}
		r := RatioOf(p.CPUPerGbit, base.CPUPerGbit)
		if math.IsNaN(r.Lo) || r.Lo <= 1 && r.Hi >= 1 {
			continue
		}
		lossy := ""
		if v.Lossy {
			lossy = "; not all of it is delivered by both"
		}
		f.say(v.Load, "At %v offered, %s uses %s times the CPU time per delivered Gbit that TS uses (95 %% CI %s to %s; %s and %s CPU-s/Gbit%s).",
			v.Rate, f.names[c.Config], number(r.Value), number(r.Lo), number(r.Hi),
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
		r := RatioOf(a.At.DeliveredBps, b.At.DeliveredBps)
		bound, ok := boundOf(a, b, r)
		if !ok {
			continue
		}
		f.say(k.Load, "%s carries %s%s times what %s carries (95 %% CI %s to %s).",
			f.names[a.Config], bound, number(r.Value), f.names[b.Config], number(r.Lo), number(r.Hi))
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

// collapse says which configuration delivers less under more load.
func (f *findings) collapse(c *Ceiling) {
	if c.At == nil {
		return
	}
	var top *PointStats
	for _, p := range f.points {
		if p.Point.Config == c.Config && p.Valid > 0 {
			top = p
		}
	}
	r := RatioOf(top.DeliveredBps, c.At.DeliveredBps)
	if math.IsNaN(r.Hi) || r.Hi >= collapse {
		return
	}
	f.say(c.Config.Load, "%s collapses under overload: of the %s Mbps of its ceiling %s %% are left (95 %% CI %s to %s %%) where %s Mbps are offered.",
		f.names[c.Config], mbps(c.At.DeliveredBps.Mean), percent(r.Value), percent(r.Lo), percent(r.Hi), offeredCell(top))
}

func offeredCell(p *PointStats) string {
	if p.Point.Offered.IsMax() {
		return "max"
	}
	return mbps(float64(p.Point.Offered))
}
