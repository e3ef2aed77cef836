package scenarios

import (
	"slices"

	"hdbench/internal/cpu"
	"hdbench/results"
)

// carriedBound is how much may be missing of a rate that is carried.
const carriedBound = 0.005

// causeOf is results.CauseOf by the evidence there is without the client's
// strain; it goes when that does it.
func causeOf(t *results.Trial) results.Cause {
	loss, _ := t.Load.Loss()
	shortfall, _ := t.Load.Shortfall()
	if loss+shortfall <= carriedBound {
		return results.Carried
	}
	if t.Relay != nil && t.Relay.CPUNA == "" && t.Relay.WindowSeconds > 0 {
		if set, err := cpu.Parse(t.RelayCPUs); err == nil && set.Size() > 0 {
			if t.Relay.CPUSeconds/t.Relay.WindowSeconds/float64(min(set.Size(), max(1, t.Point.Workers))) > 0.93 {
				return results.RelayCPU
			}
		}
	}
	switch has := func(c results.Code) bool {
		return slices.ContainsFunc(t.Validity, func(f results.Finding) bool { return f.Code == c })
	}; {
	case has(results.NicLimited):
		return results.ByLine
	case has(results.ClientLimited), has(results.PacingLate):
		return results.ByClient
	case loss > carriedBound:
		return results.SendQueue
	default:
		return results.BackPressure
	}
}
