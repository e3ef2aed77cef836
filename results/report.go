package results

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"hdbench/internal/units"
	"hdbench/results/figure"
)

// Report is everything a folder's records say, ready to be written. Sections
// come in the order of the published profile.
type Report struct {
	title    string
	answer   *Answer
	sections []section
}

// section is a heading, text before its tables, the tables, the plots, text after
// them, and commands to type.
type section struct {
	title    string
	text     []string
	tables   []*Table
	wide     []*Table // in place of tables where there is room to sort and filter
	figures  []*figure.Figure
	flames   []graph  // of the page only
	legend   []string // of the figures
	after    []string
	commands []string
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
	all := Ceilings(points)
	points = measurable(points)
	ceilings, versus := Ceilings(points), CompareToTS(points, compareAt)
	cliffs := Cliffs(points, set.Trials)
	plots, profiles := newPlots(set, points), Profiles(set.Trials)
	validity, err := validitySection(set, points)
	if err != nil {
		return nil, err
	}
	answer := NewAnswer(set, points, all, versus)
	r := &Report{
		title: set.Environment.Scenario, answer: answer,
		sections: []section{
			answerSection(answer, plots.ceilings(ceilings)),
			{title: "Key findings", text: Findings(points, ceilings, versus, cliffs, profiles)},
			{title: "Setup", text: setup(&set.Environment), tables: SetupTables(set.Environment.Hosts)},
			sweepSection(set.Trials, points, plots),
			ceilingSection(set.Trials, points, ceilings, plots),
			breakdownSection(profileSection(set, profiles, published), points),
			cliffSection(cliffs, plots, l3Of(&set.Environment)),
			versusSection(versus, published),
			validity,
			reproduceSection(set),
		},
	}
	return r, r.addSearches(set.Trials)
}

// measurable are the points of configurations that can be measured on this host.
// The others are a line of the answer, and of no table of evidence.
func measurable(points []*PointStats) []*PointStats {
	tried := map[Config]bool{}
	for _, p := range points {
		if p.NA == "" {
			tried[p.Point.Config] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(points), func(p *PointStats) bool { return !tried[p.Point.Config] })
}

// answerSection is what a report opens with: the answer, and one picture of it.
func answerSection(a *Answer, pictures []*figure.Figure) section {
	s := a.section()
	s.figures = pictures
	return s
}

// Answer is what the report comes to, for one screen.
func (r *Report) Answer() *Answer { return r.answer }

func sweepSection(trials []*Trial, points []*PointStats, plots *plots) section {
	s := section{title: "Rate sweep", tables: SweepTables(points), wide: WideSweepTables(points)}
	if len(points) == 0 {
		s.text = []string{"No trial has been made yet."}
		return s
	}
	s.figures = append(plots.sweep(), plots.latency()...)
	s.after = SweepLegend()
	if n := latencyNote(trials); n != "" {
		s.after = append(s.after, n)
	}
	s.legend = []string{"In the plots, bands and whiskers are 95 % intervals; an empty marker has no valid run. What is offered as max has no place on the axis."}
	return s
}

func ceilingSection(trials []*Trial, points []*PointStats, ceilings []Ceiling, plots *plots) section {
	s := section{title: ceilingTitle(ceilings), tables: CeilingTables(ceilings)}
	if len(ceilings) == 0 {
		s.text = []string{"n/a: no trial has been made yet."}
		return s
	}
	s.figures = append(plots.taxes(ceilings), plots.timeline(ceilings)...)
	s.after = []string{
		"The ceiling is the highest mean delivered rate over all offered rates of a configuration, corrected so that choosing the highest does not inflate it; its interval allows for the choice. ≥: something else than the relay stopped it.",
	}
	if slices.ContainsFunc(trials, func(t *Trial) bool { return t.Lab != "" }) {
		s.after = append(s.after, labNote)
	}
	if tax := TaxTables(ceilings); len(tax) > 0 {
		s.tables = slices.Concat(s.tables, tax, SpeedupTables(points, ceilings), TaxCPUTables(points, ceilings))
		s.after = append(s.after, TaxLegend())
	}
	for _, t := range []*Table{LineShareTable(trials, ceilings), RecordSizeTable(trials, ceilings), TLSTable(trials, ceilings)} {
		if t != nil {
			s.tables = append(s.tables, t)
		}
	}
	return s
}

// ceilingTitle promises what the section has.
func ceilingTitle(ceilings []Ceiling) string {
	switch {
	case len(TransportCosts(ceilings)) == 0:
		return "Ceilings"
	case hasKTLS(ceilings):
		return "Ceilings and kTLS cost"
	}
	return "Ceilings and what TLS costs"
}

func breakdownSection(s section, points []*PointStats) section {
	counters := CounterTables(points)
	if len(counters) == 0 && len(points) > 0 {
		s.text = append(s.text, noCounters)
	}
	s.tables = append(s.tables, counters...)
	return s
}

// labNote stands where numbers of the lab could be taken for a machine's.
const labNote = "Measured in the lab: relay and client share its CPUs, so a ceiling is what both reach together, and a tax what both pay; the client's own TLS is in it. Outside the lab such trials are oversubscribed and make no ceiling."

func versusSection(versus []Versus, p *Published) section {
	s := section{title: "Comparison to TS"}
	for i := range versus {
		s.tables = append(s.tables, VersusTables(&versus[i])...)
	}
	if len(versus) == 0 {
		s.text = []string{"n/a: the sweep has no trials of derper, the TS baseline."}
	} else {
		s.after = []string{"TS is Tailscale's derper. Ratios are of ceilings, or of delivered rates; their 95 % intervals allow for the choice of the ceiling. A ratio of a lower bound that is below 1 says nothing, and is n/a."}
	}
	if t := p.footingTable(versus); t != nil {
		s.tables = append(s.tables, t, p.ThroughputTable())
		s.after = append(s.after,
			fmt.Sprintf("On published footing: × %.3f, because the tool behind the published figures divides by a time that includes a drain of some 2 s (it reads 2606 Mbps where 3000 are offered and none is lost).", publishedFooting),
			"Published figures are of another relay on other hardware: "+strings.Join(p.Setup, " ")+" hdbench's hd is a Go relay after Hyper-DERP's design; these are not its figures.")
	} else {
		s.after = append(s.after, "The published comparison, of other configurations than these: hdbench report results/reference.")
	}
	return s
}

func validitySection(set *Set, points []*PointStats) (section, error) {
	s := section{title: "Validity", text: slices.Concat(set.Warnings, Stability(points, set.Trials), stealLines(set.Trials), distanceLines(set.Trials), uncheckedNote(set.Trials), networkNotes(set)), tables: []*Table{ValidityTable(set.Trials)}}
	if d := DoctorTable(set.Examinations); d != nil {
		s.tables = append(s.tables, d)
	}
	if c := CalibrationTable(set.Trials); len(c.Rows) > 0 {
		s.tables = append(s.tables, c)
	}
	hosts, err := HostTable(set.Trials)
	if err != nil {
		return s, err
	}
	for _, t := range []*Table{hosts, LineTable(set.Environment.Line), ScheduleTable(points)} {
		if t != nil && len(t.Rows) > 0 {
			s.tables = append(s.tables, t)
		}
	}
	return s, nil
}

// Figures are the report's plots, in its order.
func (r *Report) Figures() []*figure.Figure {
	var fs []*figure.Figure
	for _, s := range r.sections {
		fs = append(fs, s.figures...)
	}
	return fs
}

// Write writes the report. In Markdown it refers to the plots as files in a folder
// plots beside it, which WritePlots makes; HTML has everything in it.
func (r *Report) Write(w io.Writer, f Format) error {
	if f == HTML {
		return r.writeHTML(w)
	}
	if f == Markdown {
		fmt.Fprintf(w, "# hdbench: %s\n", r.title)
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
	begun := len(s.text) > 0
	gap := func() {
		if begun {
			fmt.Fprintln(w)
		}
		begun = true
	}
	for _, t := range s.tables {
		gap()
		if err := t.Write(w, f); err != nil {
			return err
		}
	}
	if f == Markdown {
		for _, fig := range s.figures {
			gap()
			fmt.Fprintf(w, "![%s](%s/%s.svg)\n", strings.NewReplacer("[", "(", "]", ")").Replace(fig.Alt), DirPlots, fig.Name)
		}
		if len(s.figures) > 0 && len(s.legend) > 0 {
			gap()
			writeLines(w, f, s.legend)
		}
	}
	if len(s.after) > 0 {
		gap()
		writeLines(w, f, s.after)
	}
	if len(s.commands) > 0 {
		gap()
		writeCommands(w, f, s.commands)
	}
	return nil
}

func writeLines(w io.Writer, f Format, lines []string) {
	for _, l := range lines {
		if f == Markdown {
			fmt.Fprintf(w, "- %s\n", escape(l))
		} else {
			writeWrapped(w, l)
		}
	}
}

// writeCommands writes what can be typed as it stands: a line too long for a
// terminal goes on after a backslash.
func writeCommands(w io.Writer, f Format, commands []string) {
	if f == Markdown {
		fmt.Fprintf(w, "```sh\n%s\n```\n", strings.Join(commands, "\n"))
		return
	}
	for _, c := range commands {
		fmt.Fprintln(w, "  "+strings.Join(continued(c, TerminalWidth-4), " \\\n    "))
	}
}
