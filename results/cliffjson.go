package results

// countersJSON are a point's counters: a summary and, where a run has no value,
// the reason.
type countersJSON struct {
	Runs     int                    `json:"runs"` // that have counters
	Values   map[string]summaryJSON `json:"values"`
	NA       map[string]string      `json:"na"`
	UserOnly bool                   `json:"user_space_only"` // hardware events without the kernel's share
	Running  *float64               `json:"least_running_share"`
	Sources  []string               `json:"software_sources"`
}

// json is nil where no run has counters.
func (s *CounterStats) json() *countersJSON {
	if s.N == 0 {
		return nil
	}
	j := &countersJSON{
		Runs: s.N, Values: map[string]summaryJSON{}, NA: map[string]string{},
		UserOnly: s.UserOnly, Running: orNull(s.Running), Sources: listed(s.Sources),
	}
	for i, m := range counterMetrics {
		j.Values[m.key] = jsonOfSummary(s.Values[i])
		if s.NA[i] != "" {
			j.NA[m.key] = s.NA[i]
		}
	}
	return j
}

// cliffJSON is where a quantity leaves its flat part; loads are delivered rates.
type cliffJSON struct {
	Configuration string   `json:"configuration"`
	Config        Config   `json:"config"`
	Quantity      string   `json:"quantity"`
	Found         bool     `json:"found"`
	Flat          *float64 `json:"flat_level"`
	FlatLoads     int      `json:"flat_loads"`
	After         *float64 `json:"level_after"`
	From          *float64 `json:"from_bps"`
	To            *float64 `json:"to_bps"`
	Lower         *float64 `json:"ci95_lower_bps"`
	Upper         *float64 `json:"ci95_upper_bps"`
	P             *float64 `json:"p"` // null: single runs, not tested
	NA            string   `json:"na,omitempty"`
}

func (c *CliffResult) json(name string) cliffJSON {
	j := cliffJSON{Configuration: name, Config: c.Config, Quantity: c.evidence.key, Found: c.Found, NA: c.NA}
	if !c.Found {
		return j
	}
	k := c.Cliff
	j.Flat, j.After, j.FlatLoads = orNull(k.Flat.Mean), orNull(k.After.Mean), k.Loads
	j.From, j.To, j.Lower, j.Upper, j.P = orNull(k.From), orNull(k.To), orNull(k.Lo), orNull(k.Hi), orNull(k.P)
	return j
}
