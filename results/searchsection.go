package results

import (
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
	at := 0
	for i, s := range r.sections {
		switch {
		case s.title == "Rate sweep", strings.HasPrefix(s.title, "Ceilings"):
			at = i + 1
			if len(s.tables) == 0 {
				r.sections[i].text = []string{"n/a: no trial of a fixed rate has been made; see the search."}
			}
		case s.title == "Validity" && !slices.ContainsFunc(trials, func(t *Trial) bool { return t.Kind == KindTrial }):
			r.sections[i].tables = slices.Delete(s.tables, 0, 1) // of no trials
		}
	}
	r.sections = slices.Insert(r.sections, at, section{
		title: "Ceiling search", tables: SearchTables(searches), after: SearchLegend(searches),
	})
	return nil
}
