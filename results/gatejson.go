package results

import (
	"encoding/json"
	"io"
	"math"
)

// gateJSON is a comparison for machines. What is not a number is null.
type gateJSON struct {
	Schema      int            `json:"schema"`
	Outcome     string         `json:"outcome"`
	ExitCode    int            `json:"exit_code"`
	Base        sideJSON       `json:"base"`
	New         sideJSON       `json:"new"`
	Paired      bool           `json:"paired"`
	Differences []string       `json:"differences"`
	Floors      []Floor        `json:"floors"`
	Moves       []BaselineMove `json:"baseline_moves"` // what they excuse
	Changes     []changeJSON   `json:"changes"`
	Control     []changeJSON   `json:"control"`
	Still       int            `json:"within_floor"`
	Points      int            `json:"points_in_common"`
	Judged      int            `json:"points_judged"` // of these, at least one metric
	Unjudged    []string       `json:"not_judged"`
	Missing     []string       `json:"missing"`
	RunsNeeded  int            `json:"runs_needed"` // 0: there were enough
	Notes       []string       `json:"notes"`
}

type sideJSON struct {
	Folder  string `json:"folder"`
	Hdbench string `json:"hdbench"`
	Trials  string `json:"trials"`
	Points  int    `json:"points"` // of relays under test, with a trial that counts
	// Interrupted is set where the sweep did not come to its end.
	Interrupted *progress `json:"interrupted,omitempty"`
}

type changeJSON struct {
	Configuration string   `json:"configuration"`
	Point         Point    `json:"point"`
	Of            string   `json:"of"`
	Unit          string   `json:"unit"`
	Base          *float64 `json:"base"`
	New           *float64 `json:"new"`
	BaseRuns      int      `json:"base_runs"`
	NewRuns       int      `json:"new_runs"`
	Relative      bool     `json:"relative"` // change and floor are shares of base; else differences of shares
	Change        *float64 `json:"change"`
	ChangeLower   *float64 `json:"change_lower"`
	ChangeUpper   *float64 `json:"change_upper"`
	Floor         float64  `json:"floor"`
	P             float64  `json:"p"`
	Test          Test     `json:"test"`
	PHolm         float64  `json:"p_holm"`
	PWelch        *float64 `json:"p_welch"`
	Verdict       Verdict  `json:"verdict"`
}

// WriteJSON writes the comparison for machines, every judged change included.
func (g *Gate) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(gateJSON{
		Schema: SchemaVersion, Outcome: g.Outcome.String(), ExitCode: int(g.Outcome),
		Base: g.Base.side(), New: g.New.side(), Paired: g.Paired, Differences: listed(g.Differences), Floors: g.Floors, Moves: append([]BaselineMove{}, g.Moves...),
		Changes: g.changesJSON(g.Changes), Control: g.changesJSON(g.Control), Still: g.Still, Points: g.Points, Judged: g.Judged,
		Unjudged: listed(g.Unjudged), Missing: listed(g.Missing), RunsNeeded: g.Need, Notes: listed(g.Notes),
	})
}

func (s *Set) side() sideJSON {
	points := 0
	for p := range trustedPoints(s, anything) {
		if underTest(p.Config) {
			points++
		}
	}
	return sideJSON{s.name(), s.Environment.Hdbench, s.counted(), points, s.interruptedJSON()}
}

func (g *Gate) changesJSON(cs []Change) []changeJSON {
	out := make([]changeJSON, 0, len(cs))
	for _, c := range cs {
		out = append(out, changeJSON{
			Configuration: g.names[c.Point.Config], Point: c.Point, Of: c.Of, Unit: c.Metric.Unit,
			Base: orNull(c.Base.Mean * c.Metric.scale), New: orNull(c.New.Mean * c.Metric.scale), BaseRuns: c.Base.N, NewRuns: c.New.N,
			Relative: c.Metric.Relative, Change: orNull(c.Change.Value), ChangeLower: orNull(c.Change.Lo), ChangeUpper: orNull(c.Change.Hi),
			Floor: c.Floor, P: c.P, Test: c.Test, PHolm: c.Holm, PWelch: orNull(c.Welch), Verdict: c.Verdict,
		})
	}
	return out
}

// orNull is the number, or nothing where there is none: JSON has no NaN.
func orNull(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// listed makes nothing an empty list instead of null.
func listed(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
