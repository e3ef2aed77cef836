package results

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hdbench/internal/units"
)

// SearchTables are what the searches found, a table for each load.
func SearchTables(searches []SearchResult) []*Table {
	var loads []Shape
	for _, s := range searches {
		if !slices.Contains(loads, s.Config.Load) {
			loads = append(loads, s.Config.Load)
		}
	}
	var tables []*Table
	for _, load := range loads {
		tables = append(tables, searchTable(load, slices.DeleteFunc(slices.Clone(searches), func(s SearchResult) bool { return s.Config.Load != load })))
	}
	return tables
}

func searchTable(load Shape, searches []SearchResult) *Table {
	var cs []Config
	for _, s := range searches {
		cs = append(cs, s.Config)
	}
	names := Names(cs)
	fs := searchFields(names)
	t := &Table{Title: load.String(), Columns: fs.columns()}
	for i := range searches {
		s := &searches[i]
		name := names[s.Config]
		if s.NA != "" {
			t.Rows = append(t.Rows, fs.row(searchRow{s, nil}))
			t.addNote(name + ": n/a: " + s.NA)
			continue
		}
		for g := range s.Goals {
			t.Rows = append(t.Rows, fs.row(searchRow{s, &s.Goals[g]}))
		}
		for _, note := range s.notes() {
			t.addNote(name + note)
		}
	}
	return t
}

// searchRow is one goal of a search; of a search that could not be made it has none.
type searchRow struct {
	*SearchResult
	goal *GoalResult
}

func searchFields(names map[Config]string) fields[searchRow] {
	rate := func(cell func(*GoalResult) (units.Rate, string)) func(searchRow) string {
		return func(r searchRow) string {
			if r.goal == nil {
				return na
			}
			v, bound := cell(r.goal)
			if v == 0 {
				return na
			}
			return bound + mbps(float64(v))
		}
	}
	// once is what is said in the first row of a search.
	once := func(count func(*SearchResult) int) func(searchRow) string {
		return func(r searchRow) string {
			switch {
			case r.goal == nil:
				return "0"
			case r.goal != &r.Goals[0]:
				return ""
			}
			return fmt.Sprint(count(r.SearchResult))
		}
	}
	return fields[searchRow]{
		{Column{Head: "Configuration", Left: true}, func(r searchRow) string { return names[r.Config] }},
		{Column{Head: "Goal", Left: true}, func(r searchRow) string {
			if r.goal == nil {
				return na
			}
			return r.goal.Name()
		}},
		{Column{Head: "Lower\nMbps", Full: "Lower bound Mbps"}, rate(func(g *GoalResult) (units.Rate, string) {
			if g.Upper == 0 {
				return g.Lower, "≥ "
			}
			return g.Lower, ""
		})},
		{Column{Head: "Upper\nMbps", Full: "Upper bound Mbps"}, rate(func(g *GoalResult) (units.Rate, string) { return g.Upper, "" })},
		{Column{Head: "Condi-\ntional", Full: "Conditional throughput Mbps"}, func(r searchRow) string {
			if r.goal == nil || r.goal.Lower == 0 {
				return na
			}
			return mbps(float64(r.goal.Conditional))
		}},
		{Column{Head: "Looks"}, once(func(s *SearchResult) int { return s.Looks })},
		{Column{Head: "in-\nvalid", Full: "Invalid looks"}, once(func(s *SearchResult) int { return s.Invalid })},
		{Column{Head: "Ladder", Full: "Trials of a ladder as fine"}, once(func(s *SearchResult) int { return len(s.Spec.Ladder()) })},
	}
}

// notes are those of the goals; what is the same for all is said once.
func (s *SearchResult) notes() []string {
	var order []string
	of := map[string][]string{}
	for _, g := range s.Goals {
		for _, note := range s.goalNotes(g) {
			if of[note] == nil {
				order = append(order, note)
			}
			of[note] = append(of[note], g.Name())
		}
	}
	for i, note := range order {
		order[i] = ": " + note
		if len(of[note]) < len(s.Goals) {
			order[i] = ", " + strings.Join(of[note], ", ") + order[i]
		}
	}
	return order
}

// goalNotes are what a reader must know of a result that is not just two bounds.
func (s *SearchResult) goalNotes(g GoalResult) []string {
	var notes []string
	if g.Irregular != "" {
		note := "irregular: " + g.Irregular
		if !g.Done && s.Failed != "" {
			note += "; " + s.Failed
		}
		notes = append(notes, note)
	}
	if g.Inversion > 0 {
		notes = append(notes, fmt.Sprintf("loss inversion: %v was carried, above the upper bound", g.Inversion))
	}
	return notes
}

// SearchLegend explains the tables of searches, for the specs that were used.
func SearchLegend(searches []SearchResult) []string {
	legend := []string{
		"MLRsearch (draft-ietf-bmwg-mlrsearch). The lower bound is the highest load the relay carries, the upper one the lowest it does not: NDR without any loss, PDR with no more than the share named. Conditional throughput is what comes through at the lower bound. ≥: no upper bound was found.",
	}
	var said []string
	for _, s := range searches {
		if s.NA != "" {
			continue
		}
		p := s.Spec
		line := fmt.Sprintf("Loads %v to %v; bounds within %s of each other; %v of looks at a load, of which %s may exceed the goal; a shortfall over %s counts as not carried.",
			p.Min, p.Max, share(p.Width), time.Duration(p.SumNS), share(p.ExceedRatio), share(p.Shortfall))
		if !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	return append(append(legend, said...),
		"Looks is the trials a search took for all its goals, ladder how many a plain list of rates as fine would have, each tried once. Looks are not in the rate sweep.")
}
