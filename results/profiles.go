package results

import (
	"cmp"
	"math"
	"slices"

	"hdbench/internal/measure"
	"hdbench/results/stat"
)

// Profiled is one configuration's profile beside what its trials say.
type Profiled struct {
	Config  Config
	Trial   *Trial
	Profile *measure.Profile // nil: there is none, see NA
	NA      string

	// Cost is CPU-s/Gbit of the profiled trial against those of the same point
	// that were not sampled. The interval is where one more trial without a sampler
	// would be in 95 % of cases: what is in it may be chance.
	Cost     stat.Ratio
	CostRuns int // trials that were not sampled
}

// Profiles are the profiled trials, in the order of configurations.
func Profiles(trials []*Trial) []Profiled {
	var out []Profiled
	for _, t := range trials {
		if t.Kind != KindProfile {
			continue
		}
		p := Profiled{Config: t.Point.Config, Trial: t, Profile: t.Profile, NA: cmp.Or(t.NA, firstLine(t.Error))}
		nan := math.NaN()
		p.Cost = stat.Ratio{Value: nan, Lo: nan, Hi: nan}
		if p.Profile == nil || !t.OK() {
			p.Profile, p.NA = nil, cmp.Or(p.NA, "the record holds no profile")
		} else {
			p.Cost, p.CostRuns = profiledCost(t, trials)
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b Profiled) int { return compareConfig(a.Config, b.Config) })
	return out
}

// profiledCost compares a trial's cost with those of its point. The interval is
// that of one new value, on the logarithm.
func profiledCost(t *Trial, trials []*Trial) (stat.Ratio, int) {
	_, with := t.relayCost()
	var without []float64
	for _, o := range trials {
		if _, v := o.relayCost(); o.Kind == KindTrial && o.Point == t.Point && o.Trusts(Cost) && v > 0 {
			without = append(without, v)
		}
	}
	nan := math.NaN()
	r := stat.Ratio{Value: nan, Lo: nan, Hi: nan}
	s := stat.Summarize(without)
	if s.N == 0 || !(with > 0) {
		return r, s.N
	}
	r.Value = with / s.Mean
	if l := stat.Summarize(logs(without)); l.N >= 2 {
		half := stat.TQuantile(float64(l.N-1)) * l.SD * math.Sqrt(1+1/float64(l.N))
		r.Lo, r.Hi = math.Exp(-half), math.Exp(half)
	}
	return r, s.N
}

// shareInterval is the 95 % interval of a share of n samples (Wilson 1927).
func shareInterval(share float64, n uint64) (lo, hi float64) {
	const z = 1.959964
	f := float64(n)
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	mid := (share + z*z/(2*f)) / (1 + z*z/f)
	half := z / (1 + z*z/f) * math.Sqrt(share*(1-share)/f+z*z/(4*f*f))
	return mid - half, mid + half
}

// categoryShare is what a category weighs in a profile.
func categoryShare(p *measure.Profile, name string, kernel bool) float64 {
	for _, c := range p.Categories {
		if c.Name == name && c.Kernel == kernel {
			return p.Share(c.Weight)
		}
	}
	return 0
}
