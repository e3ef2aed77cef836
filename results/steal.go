package results

import (
	"fmt"
	"slices"

	"hdbench/internal/cpu"
)

// stealLines say the most that a hypervisor took from each role in a trial's
// window, or why that is not known; nothing of folders that did not look.
func stealLines(trials []*Trial) []string {
	var lines, roles []string
	most := map[string]float64{}
	why := map[string]string{}
	for _, t := range trials {
		if t.Kind != KindTrial {
			continue
		}
		for i := range t.Steal {
			s := &t.Steal[i]
			if !slices.Contains(roles, s.Role) {
				roles = append(roles, s.Role)
			}
			set, err := cpu.Parse(s.CPUs)
			if err != nil {
				continue
			}
			if share, ok := s.Share(set.Size()); ok {
				most[s.Role] = max(most[s.Role], share)
			} else {
				why[s.Role] = s.NA
			}
		}
	}
	for _, role := range roles {
		if reason := why[role]; reason != "" {
			lines = append(lines, fmt.Sprintf("Time that a hypervisor took from the %s's CPUs is n/a: %s.", role, reason))
			continue
		}
		lines = append(lines, fmt.Sprintf("Of the %s's CPU time, a hypervisor took at most %.1f %% in the window of a trial.", role, 100*most[role]))
	}
	return lines
}
