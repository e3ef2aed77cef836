package results

import (
	"fmt"
	"time"

	"hdbench/internal/measure"
)

// distanceLines say how far the relay's CPUs were from the client's; nothing where they
// are of two hosts.
func distanceLines(trials []*Trial) []string {
	var nearest, farthest int64
	var cpus [2]int
	known, apart, unknown := 0, 0, ""
	for _, t := range trials {
		d := t.Distance
		switch {
		case t.Kind != KindTrial || d == nil:
		case d.NA != "":
			unknown = d.NA
		default:
			if known == 0 {
				nearest = d.BeforeNS
			}
			known++
			cpus = d.CPUs
			nearest, farthest = min(nearest, d.BeforeNS, d.AfterNS), max(farthest, d.BeforeNS, d.AfterNS)
			if d.Apart() {
				apart++
			}
		}
	}
	switch {
	case known == 0 && unknown != "":
		return []string{fmt.Sprintf("How far the relay's CPUs are from the client's is n/a: %s.", unknown)}
	case known == 0:
		return nil
	}
	text := fmt.Sprintf("A cache line took %v to %v between the relay's CPU %d and the client's CPU %d and back.", time.Duration(nearest), time.Duration(farthest), cpus[0], cpus[1])
	if apart > 0 {
		text += fmt.Sprintf(" In %d of %s it was over %d times the usual: the hypervisor had moved the CPUs apart, and what goes between relay and client is slower there.", apart, plural(known, "trial"), measure.Farther)
	}
	return []string{text}
}
