package results

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// Report is everything a folder's records say, ready to be written. Sections
// come in the order of the published profile.
type Report struct {
	set       *Set
	compareAt units.Rate
	sections  []section
}

// section is a heading, text before its tables, the tables, and text after.
type section struct {
	title  string
	text   []string
	tables []*Table
	after  []string
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
		section{title: "Setup", text: r.setup()},
		section{title: "Rate sweep", tables: SweepTables(points), after: SweepLegend()})
	if len(points) == 0 {
		r.sections[1] = section{title: "Rate sweep", text: []string{"No trial has been made yet."}}
	}
	if ceilings := Ceilings(points); len(ceilings) > 0 {
		s := section{title: "Ceilings", tables: CeilingTables(ceilings), after: []string{
			"The ceiling is the highest mean delivered rate over the valid points of a configuration; ≥ where it was not brought to its limit.",
		}}
		if tax := TaxTables(ceilings); len(tax) > 0 {
			s.title = "Ceilings and kTLS cost"
			s.tables = append(s.tables, tax...)
			s.after = append(s.after, TaxLegend())
		}
		for _, t := range []*Table{RecordSizeTable(set.Trials, ceilings), TLSTable(set.Trials, ceilings)} {
			if t != nil {
				s.tables = append(s.tables, t)
			}
		}
		r.sections = append(r.sections, s)
	}
	r.sections = append(r.sections, r.versus(points, published))
	valid := section{title: "Validity", tables: []*Table{ValidityTable(set.Trials)}}
	if c := CalibrationTable(set.Trials); len(c.Rows) > 0 {
		valid.tables = append(valid.tables, c)
	}
	if sched := ScheduleTable(points); len(sched.Rows) > 0 {
		valid.tables = append(valid.tables, sched)
	}
	valid.text = slices.Concat(set.Warnings, Stability(points, set.Trials))
	r.sections = append(r.sections, valid, section{title: "How to reproduce", text: r.reproduce()})
	return r, r.addSearches(set.Trials)
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
		s.after = []string{
			"TS is Tailscale's derper. Ratios are of means; their 95 % intervals are by the delta method on the logarithm.",
			fmt.Sprintf("On published footing: × %.3f, because the tool behind the published figures divides by a time that includes a drain of some 2 s (it reads 2606 Mbps where 3000 are offered and none is lost).", publishedFooting),
		}
	}
	s.tables = append(s.tables, p.Table())
	return s
}

func (r *Report) setup() []string {
	env := r.set.Environment
	lines := []string{
		fmt.Sprintf("Scenario %s, started %s, hdbench %s, seed %d.", env.Scenario, env.Started.UTC().Format("2006-01-02 15:04 MST"), env.Hdbench, env.Seed),
	}
	var last *HostEntry
	for i := range env.Hosts {
		h := &env.Hosts[i]
		role := fmt.Sprintf("%s on CPUs %s", strings.Join(h.Roles, " and "), h.CPUs)
		if last != nil && last.Host == h.Host {
			lines = append(lines, role+" of the same host: both share its memory, caches and kernel, and traffic goes over loopback.")
			continue
		}
		last = h
		lines = append(lines, role+" of "+describeHost(h.Host)+".")
	}
	for _, v := range env.Relays {
		text := v.Version
		if v.NA != "" {
			text = "n/a: " + v.NA
		}
		lines = append(lines, fmt.Sprintf("Relay %s: %s.", v.Name, text))
	}
	return lines
}

func describeHost(h measure.Host) string {
	virtual := ""
	if h.Virtual {
		virtual = ", virtualised"
	}
	return fmt.Sprintf("%s (%s, CPUs %s%s, %.0f GiB, Linux %s %s, TCP congestion control %s)",
		h.Name, h.CPUModel, h.CPUs, virtual, float64(h.MemBytes)/(1<<30), h.Kernel, h.Arch, h.Congestion)
}

func (r *Report) reproduce() []string {
	dir := filepath.Base(r.set.Dir)
	return []string{
		"Run again: `" + shellescape.QuoteCommand(r.set.Environment.Command) + "`",
		fmt.Sprintf("With the same rates and order: `hdbench sweep %s/%s` (every record is in %s/%s).", dir, FileScenario, dir, FileTrials),
	}
}

// Write writes the report.
func (r *Report) Write(w io.Writer, f Format) error {
	if f == Markdown {
		fmt.Fprintf(w, "# hdbench: %s\n", r.set.Environment.Scenario)
	}
	for i, s := range r.sections {
		if i > 0 || f == Markdown {
			fmt.Fprintln(w)
		}
		if err := s.write(w, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *section) write(w io.Writer, f Format) error {
	if f == Markdown {
		fmt.Fprintf(w, "## %s\n\n", s.title)
	} else {
		fmt.Fprintln(w, strings.ToUpper(s.title))
	}
	writeLines(w, f, s.text)
	for j, t := range s.tables {
		if j > 0 || len(s.text) > 0 {
			fmt.Fprintln(w)
		}
		if err := t.Write(w, f); err != nil {
			return err
		}
	}
	if len(s.after) > 0 {
		fmt.Fprintln(w)
		writeLines(w, f, s.after)
	}
	return nil
}

func writeLines(w io.Writer, f Format, lines []string) {
	for _, l := range lines {
		if f == Markdown {
			fmt.Fprintf(w, "- %s\n", l)
		} else {
			writeWrapped(w, l)
		}
	}
}
