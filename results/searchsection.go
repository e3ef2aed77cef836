package results

import (
	"fmt"
	"slices"
	"strings"
)

// addSearches puts what the searches found behind the ceilings. A report of
// searches alone says so where the trials of a list of rates would be.
func (r *Report) addSearches(trials []*Trial) error {
	searches, err := Searches(trials)
	if err != nil || len(searches) == 0 {
		return err
	}
	trialled := slices.ContainsFunc(trials, func(t *Trial) bool { return t.Kind == KindTrial })
	found := searchFindings(searches)
	if !trialled && len(found) > 0 { // it is all there is to answer with
		r.answer.Findings = found
	}
	at := 0
	for i := range r.sections {
		switch s := &r.sections[i]; {
		case s.title == "Key findings":
			switch {
			case trialled:
				s.text = append(s.text, found...)
			case len(found) > 0:
				s.text = found
			default:
				s.text = []string{"None: the search found no bound."}
			}
		case s.title == "Rate sweep", strings.HasPrefix(s.title, "Ceilings"):
			at = i + 1
			if !trialled {
				s.text = []string{noFixedRate}
			}
		case s.title == "Comparison to TS" && !trialled:
			s.text = []string{noFixedRate}
		case s.title == "Validity" && !trialled:
			s.tables = slices.Delete(s.tables, 0, 1) // of no trials
		}
	}
	r.sections = slices.Insert(r.sections, at, section{
		title: "Ceiling search", tables: SearchTables(searches), after: SearchLegend(searches),
	})
	return nil
}

// noFixedRate stands where the trials of a list of rates would be.
const noFixedRate = "n/a: no trial of a fixed rate has been made; see the search."

// searchFindings are the bounds as sentences; where there is none, there is no
// sentence.
func searchFindings(searches []SearchResult) []string {
	var cs []Config
	var loads []Shape
	for _, s := range searches {
		cs = append(cs, s.Config)
		if !slices.Contains(loads, s.Config.Load) {
			loads = append(loads, s.Config.Load)
		}
	}
	names := Names(cs)
	var lines []string
	for _, s := range searches {
		name := names[s.Config]
		if len(loads) > 1 {
			name += ", " + s.Config.Load.String()
		}
		for _, g := range s.Goals {
			switch {
			case !g.Done:
			case g.Lower > 0 && g.Upper > 0:
				lines = append(lines, fmt.Sprintf("%s of %s lies between %s and %s Mbps.", g.Name(), name, mbps(float64(g.Lower)), mbps(float64(g.Upper))))
			case g.Lower > 0:
				lines = append(lines, fmt.Sprintf("%s of %s is at least %s Mbps: %s.", g.Name(), name, mbps(float64(g.Lower)), g.Irregular))
			case g.Upper > 0:
				lines = append(lines, fmt.Sprintf("%s of %s is below %s Mbps: %s.", g.Name(), name, mbps(float64(g.Upper)), g.Irregular))
			}
		}
	}
	return lines
}
