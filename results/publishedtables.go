package results

import (
	"fmt"
	"slices"
	"strings"
)

// notPublished is why a published figure has no n and no interval.
const notPublished = "n/a: not published"

// label marks every table of figures that were not measured here.
func (p *Published) label(what string) string { return "Published, not measured here: " + what }

// config is a figure's configuration as its publication names it.
func (f PublishedFigure) config() string {
	parts := []string{f.Relay, publishedTransport(f.Transport)}
	if f.Workers > 0 {
		parts = append(parts, plural(f.Workers, "worker"))
	}
	return strings.Join(parts, " ")
}

func publishedTransport(t string) string {
	switch t {
	case "ktls":
		return "kTLS"
	default:
		return strings.ToUpper(t)
	}
}

// publishedRow gathers the cells of one row, and the faults they have.
type publishedRow struct {
	key    []string
	cells  map[string]string
	faults []int
}

// withoutFaults leaves the last column out where no row has a fault.
func (t *Table) withoutFaults() *Table {
	last := len(t.Columns) - 1
	if slices.ContainsFunc(t.Rows, func(r []string) bool { return r[last] != "" }) {
		return t
	}
	t.Columns = t.Columns[:last]
	for i := range t.Rows {
		t.Rows[i] = t.Rows[i][:last]
	}
	return t
}

// pivot makes a table of figures: a row each key, in the order in which they come,
// a column each of columns, and a last column with the numbers of the faults.
func pivot(figures []PublishedFigure, key func(PublishedFigure) []string, column func(PublishedFigure) string, columns, rest []string) [][]string {
	var rows []*publishedRow
	for _, f := range figures {
		k := key(f)
		i := slices.IndexFunc(rows, func(r *publishedRow) bool { return slices.Equal(r.key, k) })
		if i < 0 {
			i = len(rows)
			rows = append(rows, &publishedRow{key: k, cells: map[string]string{}})
		}
		rows[i].cells[column(f)] = f.Printed
		for _, n := range f.Faults {
			if !slices.Contains(rows[i].faults, n) {
				rows[i].faults = append(rows[i].faults, n)
			}
		}
	}
	var out [][]string
	for _, r := range rows {
		row := slices.Clone(r.key)
		for _, c := range columns {
			row = append(row, orNA(r.cells[c]))
		}
		slices.Sort(r.faults)
		var faults []string
		for _, n := range r.faults {
			faults = append(faults, fmt.Sprint(n))
		}
		row = append(row, rest...)
		out = append(out, append(row, strings.Join(faults, ", ")))
	}
	return out
}

func orNA(s string) string {
	if s == "" {
		return na
	}
	return s
}

// faultNotes explains the faults that the rows of a table have.
func (p *Published) faultNotes(figures []PublishedFigure) []string {
	var notes []string
	for _, fault := range p.Faults {
		if slices.ContainsFunc(figures, func(f PublishedFigure) bool { return slices.Contains(f.Faults, fault.Number) }) {
			notes = append(notes, fmt.Sprintf("Fault %d: %s", fault.Number, fault.Text))
		}
	}
	return notes
}

func byQuantity(f PublishedFigure) string { return f.Quantity }

// ThroughputTable is the published comparison.
func (p *Published) ThroughputTable() *Table {
	fs := p.of("throughput")
	return &Table{
		Title: p.label(p.Title), Keys: 1,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Throughput\nMbps"}, {Head: "Loss"}, {Head: "CV"},
			{Head: "95 % CI"}, {Head: "n"}, {Head: "Faults", Left: true},
		},
		Rows:  pivot(fs, func(f PublishedFigure) []string { return []string{f.config()} }, byQuantity, publishedQuantities["throughput"], []string{na, na}),
		Notes: append([]string{"95 % CI, n: " + notPublished + "."}, p.faultNotes(fs)...),
	}
}

// TaxTable is the published cost of kernel TLS.
func (p *Published) TaxTable() *Table {
	fs := p.of("tax")
	column := func(f PublishedFigure) string { return f.Transport + f.Quantity }
	return &Table{
		Title: p.label("what kTLS costs"), Keys: 1,
		Columns: []Column{
			{Head: "Workers"}, {Head: "kTLS ceiling\nMbps"}, {Head: "TCP ceiling\nMbps"}, {Head: "kTLS tax"},
			{Head: "95 % CI"}, {Head: "n"}, {Head: "Faults", Left: true},
		},
		Rows: pivot(fs, func(f PublishedFigure) []string { return []string{fmt.Sprint(f.Workers)} }, column,
			[]string{"ktlsceiling", "tcpceiling", "kTLS tax"}, []string{na, na}),
		Notes: append([]string{"95 % CI, n: " + notPublished + "."}, p.faultNotes(fs)...),
	}
}

// DeliveredTable is the published rate sweep.
func (p *Published) DeliveredTable() *Table {
	fs := p.of("delivered")
	t := &Table{Title: p.label("delivered by offered rate, Mbps"), Keys: 1, Columns: []Column{{Head: "Offered\nMbps"}}}
	var configs []string
	for _, f := range fs {
		if !slices.Contains(configs, f.config()) {
			configs = append(configs, f.config())
			t.Columns = append(t.Columns, Column{Head: fmt.Sprintf("%s %s\n%s", f.Relay, publishedTransport(f.Transport), plural(f.Workers, "worker"))})
		}
	}
	t.Columns = append(t.Columns, Column{Head: "95 % CI"}, Column{Head: "n"}, Column{Head: "Faults", Left: true})
	t.Rows = pivot(fs, func(f PublishedFigure) []string { return []string{fmt.Sprint(f.OfferedMbps)} },
		PublishedFigure.config, configs, []string{na, na})
	t.Notes = append([]string{"95 % CI, n: " + notPublished + "."}, p.faultNotes(fs)...)
	return t
}

// CPUTable is where the published profile found the relay's cycles.
func (p *Published) CPUTable() *Table {
	fs := p.of("cpu")
	what := ""
	if len(fs) > 0 {
		what = fmt.Sprintf(", %s at %d Mbps offered", fs[0].config(), fs[0].OfferedMbps)
	}
	t := &Table{
		Title: p.label("CPU breakdown" + what), Keys: 1,
		Columns: []Column{{Head: "Symbol", Left: true}, {Head: "Where", Left: true}, {Head: "Cycles\n%"}, {Head: "Faults", Left: true}},
		Rows:    pivot(fs, func(f PublishedFigure) []string { return []string{f.Symbol, f.Where} }, byQuantity, publishedQuantities["cpu"], nil),
		Notes:   p.faultNotes(fs),
	}
	return t.withoutFaults()
}

// CacheTable is the published miss rate of the last-level cache.
func (p *Published) CacheTable() *Table {
	fs := p.of("llc")
	t := &Table{
		Title: p.label("misses of the last-level cache"), Keys: 1,
		Columns: []Column{{Head: "Configuration", Left: true}, {Head: "Offered\nMbps"}, {Head: "LLC miss\nrate"}, {Head: "Faults", Left: true}},
		Rows: pivot(fs, func(f PublishedFigure) []string {
			name := f.config()
			if f.Workers == 0 {
				name += ", workers n/a"
			}
			return []string{name, fmt.Sprint(f.OfferedMbps)}
		}, byQuantity, publishedQuantities["llc"], nil),
		Notes: p.faultNotes(fs),
	}
	for _, f := range fs {
		c, ok := p.cliff(f.Relay, f.Transport, f.Workers)
		if ok {
			t.addNote(fmt.Sprintf("%s leaves its flat part between %s and %s Mbps delivered. Both are single values: how much they vary is not published, so nothing is tested.",
				f.config(), mbps(c.From), mbps(c.To)))
		}
	}
	if slices.ContainsFunc(fs, func(f PublishedFigure) bool { return f.Workers == 0 }) {
		t.addNote("workers n/a: not stated.")
	}
	return t.withoutFaults()
}

// cliff is between which delivered rates the published miss rates of a configuration
// leave their flat part, by the finder of our own. They are single values, so it
// tests nothing.
func (p *Published) cliff(relay, transport string, workers int) (Cliff, bool) {
	of := func(f PublishedFigure) bool {
		return f.Relay == relay && f.Transport == transport && f.Workers == workers && f.Value != nil
	}
	var rs []rung
	for _, d := range p.of("delivered") { // by ascending offered rate
		for _, m := range p.of("llc") {
			if of(d) && of(m) && d.OfferedMbps == m.OfferedMbps {
				rs = append(rs, rung{load: *d.Value * 1e6, values: []float64{*m.Value / 100}})
			}
		}
	}
	return findCliff(rs, shareRise)
}

// footingTable sets ceilings beside the published figures of the same relay design,
// transport and workers, on the footing of the tool behind them; nil where the sweep
// has no such configuration.
func (p *Published) footingTable(versus []Versus) *Table {
	t := &Table{
		Title: "Beside the published figures of the same matrix", Keys: 1,
		Columns: []Column{
			{Head: "Relay", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "on published\nfooting Mbps"}, {Head: "Published", Left: true}, {Head: "published\nMbps"},
		},
	}
	for _, v := range versus {
		names := v.names()
		for _, r := range v.Rows {
			c := r.Ceiling
			f, ok := p.figureOf(c.Config)
			if !ok || c.At == nil {
				continue
			}
			t.Rows = append(t.Rows, []string{names[c.Config], c.value(), mbps(c.Delivered.Value * publishedFooting), f.config(), f.Printed})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// publishedDerper is the version of derper behind the published figures.
const publishedDerper = "1.96.4"

// figureOf is the published throughput of a configuration.
func (p *Published) figureOf(c Config) (PublishedFigure, bool) {
	relay := map[string]string{RelayHD: "HD", RelayDerper: "TS"}[c.Relay]
	if c.IsBaseline() && c.Version != publishedDerper {
		return PublishedFigure{}, false
	}
	for _, f := range p.of("throughput") {
		if f.Quantity == "throughput" && f.Relay == relay && f.Transport == c.Transport && (f.Workers == 0 || f.Workers == c.Workers) {
			return f, true
		}
	}
	return PublishedFigure{}, false
}
