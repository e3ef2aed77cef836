package byhand

import (
	"context"
	"encoding/json"
	"fmt"

	"hdbench/internal/units"
	"hdbench/results"
)

// Report is what is read of hdbench report --format json.
type Report struct {
	Environment results.Environment `json:"environment"`
	Answer      struct {
		Rows []struct {
			Configuration string  `json:"configuration"`
			OfTS          Bounded `json:"of_ts"`
		} `json:"rows"`
	} `json:"answer"`
	Ceilings []Ceiling `json:"ceilings"`
	VersusTS []struct {
		Relays []struct {
			Configuration string   `json:"configuration"`
			OfTS          *Bounded `json:"ceiling_of_ts"`
			OfTLS         *Bounded `json:"ceiling_of_ts_tls"`
		} `json:"relays"`
	} `json:"versus_ts"`
}

// Ceiling is one configuration's.
type Ceiling struct {
	Configuration string         `json:"configuration"`
	Config        results.Config `json:"config"`
	Delivered     *struct {
		Value *float64 `json:"value"`
		Lower *float64 `json:"lower"`
		Upper *float64 `json:"upper"`
	} `json:"delivered_bps"`
	At      units.Rate `json:"at_offered"`
	Carried units.Rate `json:"carried_offered"`
	Limit   struct {
		What     results.Cause `json:"what"`
		Evidence string        `json:"evidence"`
		Trials   int           `json:"trials_asked"`
		Agree    int           `json:"trials_agreeing"`
	} `json:"limit"`
	AtLeast bool   `json:"at_least"`
	NA      string `json:"na"`
}

// Bounded is a ratio with its interval.
type Bounded struct {
	Value *float64 `json:"value"`
	Lower *float64 `json:"lower"`
	Upper *float64 `json:"upper"`
	Bound string   `json:"bound"`
	NA    string   `json:"na"`
}

// CPUs are the CPU list that the sweep gave a role.
func (r *Report) CPUs(role string) (string, error) {
	for _, h := range r.Environment.Hosts {
		for _, has := range h.Roles {
			if has == role {
				return h.CPUs, nil
			}
		}
	}
	return "", fmt.Errorf("the report knows no host with the role %s", role)
}

// ReadReport makes the report of a folder.
func ReadReport(ctx context.Context, hdbench, dir string) (*Report, error) {
	out, err := Run(ctx, nil, hdbench, "report", dir, "--format", "json")
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(out, r); err != nil {
		return nil, fmt.Errorf("report of %s: %w", dir, err)
	}
	return r, nil
}
