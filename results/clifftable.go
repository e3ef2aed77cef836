package results

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/units"
	"hdbench/results/stat"
)

// cliffSection is what the caches do as the load rises; where nothing counted
// them, what the software's own figures do, named as that.
func cliffSection(cliffs []CliffResult, plots *plots, l3Bytes uint64) section {
	s := section{title: "Cache cliff"}
	if len(cliffs) == 0 {
		s.text = []string{"n/a: no trial has been made yet."}
		return s
	}
	var llc, soft []CliffResult
	for _, c := range cliffs {
		switch {
		case c.evidence != &llcEvidence:
			soft = append(soft, c)
		case len(c.rungs) > 0:
			llc = append(llc, c)
		}
	}
	names := namesOfCliffs(cliffs)
	s.text = withoutLLC(cliffs, names)
	if len(llc) > 0 {
		s.text = append(s.text, l3Text(l3Bytes))
		s.tables = append(s.tables, cliffTable("Where the LLC miss rate leaves its flat part", llc, names), rungTable("LLC miss rate over the delivered load", llc, names))
		s.figures = append(s.figures, plots.cliff("cache-cliff", "LLC miss rate over delivered", llc)...)
	}
	if len(soft) > 0 {
		s.text = append(s.text, "Software evidence instead, which is no measurement of a cache: what a delivered Gbit costs in CPU time, and how unsteady the delivered rate is, over the load. Either may rise for other reasons.")
		s.tables = append(s.tables, cliffTable("Software evidence: where it leaves its flat part", soft, names), rungTable("Software evidence over the delivered load", soft, names))
		s.figures = append(s.figures, plots.cliff("load-cost", "Software evidence over delivered", soft)...)
	}
	s.after = []string{
		"Flat: no load up to there is higher than those below it together, by more than the noise of the runs (one-sided t-test, p < 0.001 with the number of loads) and by as much as counts: half the level and 2 points of a share, a fifth of CPU-s/Gbit.",
		"The 95 % interval goes from the last load up to which such a rise can be excluded to the first at which it is shown. Loads are delivered rates up to the highest.",
	}
	return s
}

// withoutLLC says once why configurations have no LLC miss rate.
func withoutLLC(cliffs []CliffResult, names map[Config]string) []string {
	var order []string
	who := map[string][]string{}
	n := 0
	for _, c := range cliffs {
		if c.evidence != &llcEvidence {
			continue
		}
		n++
		if len(c.rungs) > 0 {
			continue
		}
		if who[c.NA] == nil {
			order = append(order, c.NA)
		}
		who[c.NA] = append(who[c.NA], names[c.Config])
	}
	var lines []string
	for _, na := range order {
		of := ""
		if len(who[na]) < n {
			of = " of " + strings.Join(who[na], ", ")
		}
		lines = append(lines, fmt.Sprintf("LLC miss rate%s: n/a (%s).", of, na))
	}
	return lines
}

func l3Text(bytes uint64) string {
	if bytes == 0 {
		return "The relay's L3: n/a (the record of its host has no cache sizes)."
	}
	return fmt.Sprintf("The relay's L3 holds %v; what a relay works on must fit into it beside everything else that runs there.", units.Bytes(bytes))
}

func namesOfCliffs(cliffs []CliffResult) map[Config]string {
	var cs []Config
	for _, c := range cliffs {
		cs = append(cs, c.Config)
	}
	return Names(cs)
}

func cliffTable(title string, cliffs []CliffResult, names map[Config]string) *Table {
	fs := cliffFields(names)
	t := &Table{Title: title, Keys: 2, Columns: fs.columns()}
	for i := range cliffs {
		c := &cliffs[i]
		t.Rows = append(t.Rows, fs.row(c))
		switch {
		case c.NA != "":
			t.addNote(fmt.Sprintf("%s of %s: n/a (%s)", c.evidence.name, names[c.Config], c.NA))
		case c.Found && c.Cliff.Loads == 1:
			t.addNote("· the flat part is the lowest load alone: where it really begins to rise may be lower still")
		}
		if c.NA == "" && c.Found && math.IsNaN(c.Cliff.P) {
			t.addNote("95 % CI and p n/a: single runs, so what is noise is not known and nothing is tested")
		}
	}
	return t
}

func cliffFields(names map[Config]string) fields[*CliffResult] {
	looked := naUnless(func(c *CliffResult) bool { return c.NA == "" })
	found := naUnless(func(c *CliffResult) bool { return c.NA == "" && c.Found })
	// What single runs do not have.
	tested := naUnless(func(c *CliffResult) bool { return c.NA == "" && c.Found && !math.IsNaN(c.Cliff.P) })
	return fields[*CliffResult]{
		{Column{Head: "Configuration", Left: true}, func(c *CliffResult) string { return names[c.Config] }},
		{Column{Head: "What", Left: true}, func(c *CliffResult) string { return c.evidence.name }},
		{Column{Head: "Level"}, looked(func(c *CliffResult) string {
			if !c.Found {
				return c.evidence.cell(stat.Summarize(valuesOf(c.rungs)).Mean)
			}
			return c.evidence.cell(c.Cliff.Flat.Mean)
		})},
		{Column{Head: "leaves it\nat Mbps", Full: "leaves it at, Mbps delivered", Left: true}, looked(func(c *CliffResult) string {
			switch {
			case !c.Found:
				return "no cliff"
			case c.Cliff.Loads == 1:
				return mbps(c.Cliff.From) + " to " + mbps(c.Cliff.To) + " ·"
			}
			return mbps(c.Cliff.From) + " to " + mbps(c.Cliff.To)
		})},
		{Column{Head: "95 % CI\nMbps", Left: true}, tested(func(c *CliffResult) string { return mbps(c.Cliff.Lo) + " to " + mbps(c.Cliff.Hi) })},
		{Column{Head: "Level\nthere"}, found(func(c *CliffResult) string { return c.evidence.cell(c.Cliff.After.Mean) })},
		{Column{Head: "p"}, tested(func(c *CliffResult) string { return pCell(c.Cliff.P) })},
	}
}

// cell is a value with its unit.
func (e *evidence) cell(v float64) string { return e.print(v) + e.suffix() }

// suffix is the unit where a cell needs it: two quantities share a column.
func (e *evidence) suffix() string {
	if e.unit == "%" {
		return " %"
	}
	return ""
}

func pCell(p float64) string {
	if p < 1e-4 {
		return "<0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

// rungTable has the values that a cliff was looked for in.
func rungTable(title string, cliffs []CliffResult, names map[Config]string) *Table {
	t := &Table{Title: title, Keys: 2, Columns: []Column{
		{Head: "Configuration", Left: true}, {Head: "What", Left: true}, {Head: "Offered\nMbps"}, {Head: "Deliv-\nered", Full: "Delivered Mbps"},
		{Head: "Mean"}, {Head: "95 % CI"}, {Head: "n"},
	}}
	for _, c := range cliffs {
		for _, r := range c.rungs {
			s := stat.Summarize(r.values)
			half := na
			if !math.IsNaN(s.Half) {
				half = "±" + c.evidence.print(s.Half)
			}
			t.Rows = append(t.Rows, []string{
				names[c.Config], c.evidence.name, offeredCell(r.point), mbps(r.load),
				c.evidence.print(s.Mean) + c.evidence.suffix(), half, fmt.Sprint(s.N),
			})
		}
	}
	return t
}

// cliff says where the LLC miss rate leaves its flat part, of the configurations
// where that was tested and the flat part is more than one load.
func (f *findings) cliff(c *CliffResult) {
	k := c.Cliff
	if c.evidence != &llcEvidence || !c.Found || math.IsNaN(k.P) || k.Loads < 2 {
		return
	}
	f.say(c.Config.Load, "%s: the LLC miss rate leaves its flat part (%s %%) between %s and %s Mbps delivered (95 %% CI %s to %s): %s %% at %s Mbps.",
		f.names[c.Config], percent(k.Flat.Mean), mbps(k.From), mbps(k.To), mbps(k.Lo), mbps(k.Hi), percent(k.After.Mean), mbps(k.To))
}

// l3Of is the size of the L3 that the relay's CPUs have, all instances that they
// share together, in bytes; 0 where the record of its host has none.
func l3Of(env *Environment) uint64 {
	bytes := uint64(0)
	for _, h := range env.Hosts {
		cpus, err := cpu.Parse(h.CPUs)
		if err != nil || h.Host.Fingerprint == nil || !slices.Contains(h.Roles, "relay") {
			continue
		}
		for _, c := range h.Host.Fingerprint.CPU.Caches {
			if c.Name != "L3" {
				continue
			}
			for _, list := range c.SharedBy {
				if shared, err := cpu.Parse(list); err == nil && !shared.Intersection(cpus).IsEmpty() {
					bytes += c.Bytes
				}
			}
		}
	}
	return bytes
}

// evidenceOf are the quantities that cliffs were looked for in, in order.
func evidenceOf(cliffs []CliffResult) []*evidence {
	var es []*evidence
	for _, c := range cliffs {
		if !slices.Contains(es, c.evidence) {
			es = append(es, c.evidence)
		}
	}
	return es
}
