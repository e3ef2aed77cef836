package results

import (
	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// profileJSON is where a configuration's CPU time goes, for machines: the record's
// summary, and what sampling cost.
type profileJSON struct {
	Configuration string           `json:"configuration"`
	Config        Config           `json:"config"`
	Offered       units.Rate       `json:"offered"`
	Profile       *measure.Profile `json:"profile"` // null: see na
	Cost          *ratioJSON       `json:"cost_of_sampling"`
	CostRuns      int              `json:"cost_runs"` // trials without a sampler that it is held against
	NA            string           `json:"na,omitempty"`
}

func profilesJSON(trials []*Trial, names map[Config]string) []profileJSON {
	var js []profileJSON
	for _, p := range Profiles(trials) {
		js = append(js, profileJSON{
			Configuration: names[p.Config], Config: p.Config, Offered: p.Trial.Point.Offered, Profile: p.Profile,
			Cost: jsonOfRatio(p.Cost), CostRuns: p.CostRuns, NA: p.NA,
		})
	}
	return js
}
