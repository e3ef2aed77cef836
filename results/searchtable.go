package results

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
	t := &Table{
		Title: load.String(),
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Goal", Left: true},
			{Head: "Lower\nMbps", Full: "Lower bound Mbps"}, {Head: "Upper\nMbps", Full: "Upper bound Mbps"},
			{Head: "Condi-\ntional", Full: "Conditional throughput Mbps"},
			{Head: "Looks"}, {Head: "in-\nvalid", Full: "Invalid looks"}, {Head: "Ladder", Full: "Trials of a ladder as fine"},
		},
	}
	for _, s := range searches {
		name := names[s.Config]
		if s.NA != "" {
			t.Rows = append(t.Rows, []string{name, na, na, na, na, "0", "0", "0"})
			t.addNote(name + ": n/a: " + s.NA)
			continue
		}
		for i, g := range s.Goals {
			row := []string{name, g.Name(), na, na, na, "", "", ""}
			if g.Lower > 0 {
				row[2], row[4] = mbps(float64(g.Lower)), mbps(float64(g.Conditional))
				if g.Upper == 0 {
					row[2] = "≥ " + row[2]
				}
			}
			if g.Upper > 0 {
				row[3] = mbps(float64(g.Upper))
			}
			if i == 0 {
				row[5], row[6], row[7] = fmt.Sprint(s.Looks), fmt.Sprint(s.Invalid), fmt.Sprint(len(s.Spec.Ladder()))
			}
			t.Rows = append(t.Rows, row)
		}
		for _, note := range s.notes() {
			t.addNote(name + note)
		}
	}
	return t
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
