package results

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"hdbench/results/stat"
)

// Write writes the trend as text: for each group where the level changed, and where
// every series stands.
func (t *Trend) Write(w io.Writer, f Format) error {
	if f == Markdown {
		fmt.Fprint(w, "# hdbench: trend\n\n")
	}
	for i := range t.Groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := t.Groups[i].write(w, f); err != nil {
			return err
		}
	}
	return nil
}

func (g *TrendGroup) write(w io.Writer, f Format) error {
	if f == Markdown {
		fmt.Fprintf(w, "## %s\n\n", g.Title())
	} else {
		fmt.Fprintln(w, strings.ToUpper(g.Title()))
	}
	writeLines(w, f, g.about())
	tables := append([]*Table{g.changeTable()}, g.levelTables()...)
	for _, table := range tables {
		fmt.Fprintln(w)
		if err := table.Write(w, f); err != nil {
			return err
		}
	}
	return nil
}

// Title names the group.
func (g *TrendGroup) Title() string {
	n := len(g.Nights)
	return fmt.Sprintf("%s, %s, %s to %s", g.newest().Set.Environment.Scenario, plural(n, "night"), day(g.Nights[0]), day(g.Nights[n-1]))
}

func (g *TrendGroup) about() []string {
	var lines []string
	for _, h := range g.newest().Set.Environment.Hosts {
		lines = append(lines, fmt.Sprintf("%s on CPUs %s of %s.", strings.Join(h.Roles, " and "), h.CPUs, describeHost(h.Host)))
	}
	if len(lines) == 2 && sameHost(g.newest().Set.Environment.Hosts) {
		hs := g.newest().Set.Environment.Hosts
		lines = []string{fmt.Sprintf("%s on CPUs %s, %s on CPUs %s of %s.", strings.Join(hs[0].Roles, " and "), hs[0].CPUs,
			strings.Join(hs[1].Roles, " and "), hs[1].CPUs, describeHost(hs[0].Host))}
	}
	if len(g.Apart) > 0 {
		lines = append(lines, "Apart from the first series, because these folders differ in: "+strings.Join(g.Apart, "; ")+".")
	}
	return lines
}

func day(n Night) string { return n.Set.Environment.Started.UTC().Format(time.DateOnly) }

// changeTable lists the change points, by configuration.
func (g *TrendGroup) changeTable() *Table {
	t := &Table{
		Title: "Where the level changed",
		Columns: []Column{
			{Head: "Configuration\nand metric", Left: true}, {Head: "Night", Left: true}, {Head: "Before"}, {Head: "After"}, {Head: "Change"}, {Head: "p"}, {Head: "", Full: "Direction", Left: true}, {Head: "hdbench", Left: true},
		},
	}
	loads := g.loads()
	for i := range g.Series {
		s := &g.Series[i]
		for _, p := range s.Points {
			name := s.Name
			if len(loads) > 1 {
				name += ", " + s.Config.Load.String()
			}
			worse := "better"
			if p.Worse {
				worse = "worse"
			}
			t.Rows = append(t.Rows, []string{
				name + "\n" + s.Metric.String(), day(g.Nights[p.Index]), s.Metric.show(p.Before.Mean), s.Metric.show(p.After.Mean),
				s.Metric.change(p.Before.Mean, p.After.Mean), pText(p.P), worse, g.versions(p),
			})
		}
	}
	if len(t.Rows) == 0 {
		return &Table{Title: "Where the level changed", Notes: []string{g.noChange()}}
	}
	t.Notes = []string{
		"Change points by E-divisive means with Student's t-test: p is adjusted for the nights at which the change could have been. hdbench: the version of the last night before, and of the first night after.",
	}
	return t
}

// versions are those of the last night before and of the first after.
func (g *TrendGroup) versions(p TrendPoint) string {
	before, after := g.Nights[p.Last].Set.Environment.Hdbench, g.Nights[p.Index].Set.Environment.Hdbench
	if before == after {
		return "same: " + before
	}
	return before + " →\n" + after
}

// noChange says that nothing was found, or that nothing could be.
func (g *TrendGroup) noChange() string {
	most := 0
	for i := range g.Series {
		most = max(most, g.Series[i].values())
	}
	if most < 2*stat.MinLevel {
		return fmt.Sprintf("n/a: a change point needs %d nights, %d before and %d after; there are values of %d.", 2*stat.MinLevel, stat.MinLevel, stat.MinLevel, most)
	}
	return "Nowhere: every series has kept its level."
}

// loads are the different loads of the series.
func (g *TrendGroup) loads() []Shape {
	var loads []Shape
	seen := map[Shape]bool{}
	for _, s := range g.Series {
		if !seen[s.Config.Load] {
			seen[s.Config.Load] = true
			loads = append(loads, s.Config.Load)
		}
	}
	return loads
}

// levelTables are where the series stand, a table for each configuration.
func (g *TrendGroup) levelTables() []*Table {
	var tables []*Table
	var t *Table
	for i := range g.Series {
		s := &g.Series[i]
		if i == 0 || s.Config != g.Series[i-1].Config {
			t = &Table{
				Title: s.Name + " · " + s.Config.Load.String(),
				Columns: []Column{
					{Head: "Metric", Left: true}, {Head: "Nights"}, {Head: "Level", Full: "Level since the last change"}, {Head: "95 % CI"},
					{Head: "night\nCV %", Full: "CV over the nights %"}, {Head: "Newest"}, {Head: "Level since", Left: true},
				},
			}
			tables = append(tables, t)
		}
		t.Rows = append(t.Rows, g.levelRow(s, t))
	}
	return tables
}

func (g *TrendGroup) levelRow(s *TrendSeries, t *Table) []string {
	n := s.values()
	if n < len(s.Values) {
		t.addNote(s.Metric.String() + ": " + s.missing())
	}
	v, _, ok := s.Newest()
	if !ok {
		return []string{s.Metric.String(), "0", na, na, na, na, ""}
	}
	level := s.Level()
	since := day(g.Nights[0])
	if k := len(s.Points); k > 0 {
		since = day(g.Nights[s.Points[k-1].Index])
	}
	half := na
	if !math.IsNaN(level.Half) {
		half = "±" + s.Metric.show(level.Half)
	} else {
		t.addNote("95 % CI and night CV n/a: they need two nights at least")
	}
	return []string{s.Metric.String(), fmt.Sprint(n), s.Metric.show(level.Mean), half, percent(level.CV), s.Metric.show(v), since}
}

// missing says how many nights have no value, and the commonest reason.
func (s *TrendSeries) missing() string {
	count, n := map[string]int{}, 0
	reason := ""
	for _, why := range s.NA {
		if why == "" {
			continue
		}
		n++
		if count[why]++; count[why] > count[reason] {
			reason = why
		}
	}
	newest := ""
	if n < len(s.NA) && s.NA[len(s.NA)-1] != "" {
		newest = ", the newest among them"
	}
	return fmt.Sprintf("n/a on %s of %d%s: %s", plural(n, "night"), len(s.NA), newest, reason)
}
