package results

import (
	"fmt"
	"io"
	"strings"

	"hdbench/internal/units"
)

// Report is everything a folder's records say, ready to be written. Sections
// come in the order of the published profile.
type Report struct {
	set       *Set
	compareAt units.Rate
	sections  []section
}

// section is a heading, text and tables.
type section struct {
	title  string
	text   []string
	tables []*Table
}

// NewReport makes the report of a results folder. compareAt fixes the offered
// rate of the cost comparison; zero lets it be chosen.
func NewReport(set *Set, compareAt units.Rate) (*Report, error) {
	points, err := Points(set.Trials)
	if err != nil {
		return nil, err
	}
	published, err := ReadPublished()
	if err != nil {
		return nil, err
	}
	r := &Report{set: set, compareAt: compareAt}
	r.sections = append(r.sections,
		section{"Setup", r.setup(), nil},
		section{"Rate sweep", SweepLegend(), SweepTables(points)})
	if len(points) == 0 {
		r.sections[1].text = []string{"No trial has been made yet."}
	}
	if ceilings := Ceilings(points); len(ceilings) > 0 {
		t := CeilingTable(ceilings)
		t.Notes = append([]string{"The ceiling is the highest mean delivered rate over the valid points of a configuration."}, t.Notes...)
		r.sections = append(r.sections, section{"Ceilings", nil, []*Table{t}})
	}
	r.sections = append(r.sections, r.versus(points, published))
	valid := section{title: "Validity", tables: []*Table{ValidityTable(set.Trials)}}
	if c := CalibrationTable(set.Trials); len(c.Rows) > 0 {
		valid.tables = append(valid.tables, c)
	}
	valid.text = set.Warnings
	r.sections = append(r.sections, valid, section{"How to reproduce", r.reproduce(), nil})
	return r, nil
}

func (r *Report) versus(points []*PointStats, p Published) section {
	s := section{title: "Comparison to TS"}
	vs := CompareToTS(points, r.compareAt)
	for i := range vs {
		s.tables = append(s.tables, VersusTables(&vs[i])...)
	}
	if len(vs) == 0 {
		s.text = []string{"n/a: the sweep has no trials of derper, the TS baseline."}
	} else {
		s.text = []string{"TS is Tailscale's derper. A ratio's interval is by the delta method on the logarithm (95 %)."}
	}
	s.tables = append(s.tables, p.Table())
	return s
}

func (r *Report) setup() []string {
	env := r.set.Environment
	lines := []string{
		fmt.Sprintf("Scenario %s, started %s, hdbench %s, seed %d.", env.Scenario, env.Started.UTC().Format("2006-01-02 15:04 MST"), env.Hdbench, env.Seed),
	}
	for _, h := range env.Hosts {
		where := ""
		if h.Host.Virtual {
			where = ", virtualised"
		}
		lines = append(lines, fmt.Sprintf("%s: %s, CPUs %s of %s (%s%s), %.0f GiB, Linux %s, %s, TCP congestion control %s.",
			strings.Join(h.Roles, " and "), h.Host.Name, h.CPUs, h.Host.CPUs, h.Host.CPUModel, where,
			float64(h.Host.MemBytes)/(1<<30), h.Host.Kernel, h.Host.Arch, h.Host.Congestion))
	}
	if len(env.Hosts) > 1 && env.Hosts[0].Host.Name == env.Hosts[1].Host.Name {
		lines = append(lines, "One host: relay and client share its memory, caches and kernel, and traffic goes over loopback.")
	}
	for _, v := range env.Relays {
		if v.NA != "" {
			lines = append(lines, fmt.Sprintf("Relay %s: n/a: %s.", v.Name, v.NA))
			continue
		}
		lines = append(lines, fmt.Sprintf("Relay %s: %s.", v.Name, v.Version))
	}
	return lines
}

func (r *Report) reproduce() []string {
	return []string{
		"Run again: `" + strings.Join(r.set.Environment.Command, " ") + "`",
		fmt.Sprintf("With the same rates and order: `hdbench sweep %s/%s` (every record is in %s/%s).", r.set.Dir, FileScenario, r.set.Dir, FileTrials),
	}
}

// Write writes the report.
func (r *Report) Write(w io.Writer, f Format) error {
	if f == Markdown {
		fmt.Fprintf(w, "# hdbench: %s\n", r.set.Environment.Scenario)
	}
	for i, s := range r.sections {
		if f == Markdown {
			fmt.Fprintf(w, "\n## %s\n\n", s.title)
			for _, l := range s.text {
				fmt.Fprintf(w, "- %s\n", l)
			}
		} else {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, strings.ToUpper(s.title))
			for _, l := range s.text {
				fmt.Fprintln(w, strings.Join(wrap(l, 98), "\n  "))
			}
		}
		for j, t := range s.tables {
			if j > 0 || len(s.text) > 0 {
				fmt.Fprintln(w)
			}
			if err := t.Write(w, f); err != nil {
				return err
			}
		}
	}
	return nil
}
