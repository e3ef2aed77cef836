package results

// searchJSON is what a search found, for machines. Loads are rates with their
// unit, as in the records.
type searchJSON struct {
	Configuration string       `json:"configuration"`
	Config        Config       `json:"config"`
	Spec          SearchSpec   `json:"spec"`
	Goals         []GoalResult `json:"goals"`
	Looks         int          `json:"looks"`
	Invalid       int          `json:"invalid_looks"`
	Ladder        int          `json:"ladder"` // trials of a ladder as fine
	Seconds       float64      `json:"seconds"`
	NA            string       `json:"na,omitempty"`
	Failed        string       `json:"failed,omitempty"`
}

func searchesJSON(trials []*Trial) ([]searchJSON, error) {
	searches, err := Searches(trials)
	if err != nil {
		return nil, err
	}
	var cs []Config
	for _, s := range searches {
		cs = append(cs, s.Config)
	}
	names := Names(cs)
	var js []searchJSON
	for _, s := range searches {
		js = append(js, searchJSON{
			Configuration: names[s.Config], Config: s.Config, Spec: s.Spec, Goals: s.Goals, Looks: s.Looks, Invalid: s.Invalid,
			Ladder: len(s.Spec.Ladder()), Seconds: s.Seconds, NA: s.NA, Failed: s.Failed,
		})
	}
	return js, nil
}
