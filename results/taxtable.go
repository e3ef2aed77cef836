package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// TaxTables are what encryption costs, a table a load, in the shape of the
// published kTLS cost; beside the ceilings stands how steady they are.
func TaxTables(ceilings []Ceiling) []*Table {
	var tables []*Table
	var t *Table
	var load Shape
	for _, cost := range TransportCosts(ceilings) {
		if shape := cost.Base.Config.Load; t == nil || shape != load {
			load = shape
			t = &Table{
				Title: taxTitle(ceilings) + " · " + load.String(), Keys: 2,
				Columns: []Column{
					{Head: "Relay", Left: true}, {Head: "Transport", Left: true}, {Head: "Ceiling\nMbps"}, {Head: "95 % CI\nMbps"},
					{Head: "run\nCV %"}, {Head: "intv\nCV %", Full: "interval CV %"},
					{Head: "Tax on tcp\n[95 % CI]", Full: "Tax on tcp [95 % CI]", Left: true},
				},
			}
			tables = append(tables, t)
		}
		names := cost.names()
		relay := strings.Replace(names[cost.Base.Config], " "+cost.Base.Config.Transport, "", 1)
		for i := range cost.Ceilings {
			t.Rows = append(t.Rows, cost.row(t, relay, names, &cost.Ceilings[i]))
		}
	}
	return tables
}

// taxTitle names what encryption costs for what was measured.
func taxTitle(ceilings []Ceiling) string {
	if hasKTLS(ceilings) {
		return "kTLS cost"
	}
	return "TLS cost"
}

func hasKTLS(ceilings []Ceiling) bool {
	return slices.ContainsFunc(ceilings, func(c Ceiling) bool { return c.Config.Transport == "ktls" })
}

// TaxLegend says what the tax is.
func TaxLegend() string {
	return "Tax on tcp = 1 − ceiling / ceiling over tcp, of the same relay with the same workers; its 95 % interval is that of the ratio of the two means. tls is sealed in user space, ktls by the kernel; the client is the same for both (tls), unless a row says otherwise."
}

func (g *TransportCost) names() map[Config]string {
	var cs []Config
	for _, c := range g.Ceilings {
		cs = append(cs, c.Config)
	}
	return Names(cs)
}

// transport is a configuration's transport, with the client's settings for it
// where they tell it from others.
func (g *TransportCost) transport(names map[Config]string, c Config) string {
	transport := c.Transport
	for _, s := range c.settings() {
		if (s.key == "client" || s.key == "frames-per-record") && strings.Contains(names[c], s.key+" "+s.value) && s.value != "" {
			transport += ", " + s.key + " " + s.value
		}
	}
	return transport
}

func (g *TransportCost) row(t *Table, relay string, names map[Config]string, c *Ceiling) []string {
	transport := g.transport(names, c.Config)
	if c.At == nil {
		t.addNote(transport + ": n/a: " + c.NA)
		return []string{relay, transport, na, na, na, na, na}
	}
	cell := "–"
	if c.Config != g.Base.Config {
		tax := TaxOf(c, g.Base)
		if tax.NA != "" {
			t.addNote("tax n/a: " + tax.NA)
		}
		cell = tax.String()
	}
	if c.AtLeast {
		t.addNote(fmt.Sprintf("≥: %s", c.Why))
	}
	return []string{relay, transport, c.value(), c.interval(), percent(c.At.DeliveredBps.CV), percent(c.At.IntervalCV), cell}
}

// String is the tax as a cell.
func (x Tax) String() string {
	if x.NA != "" {
		return na
	}
	s := signedPercent(x.Value) + " %"
	switch {
	case x.AtLeast:
		s = "≥ " + s
	case x.AtMost:
		s = "≤ " + s
	}
	if math.IsNaN(x.Lo) {
		return s
	}
	return fmt.Sprintf("%s [%s, %s]", s, signedPercent(x.Lo), signedPercent(x.Hi))
}

// signedPercent is a share as a percentage that may be negative: a transport may
// cost less than nothing.
func signedPercent(x float64) string { return fmt.Sprintf("%.1f", 100*x) }

// RecordSizeTable is what the size of the records does, where it was varied; nil
// where it was not.
func RecordSizeTable(trials []*Trial, ceilings []Ceiling) *Table {
	if !recordSizes(ceilings) {
		return nil
	}
	t := &Table{
		Title: "Record size", Keys: 2,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Frames\na record"}, {Head: "Record\nto relay", Full: "Mean record to the relay, bytes"},
			{Head: "Record\nfrom it", Full: "Mean record from the relay, bytes"}, {Head: "Ceiling\nMbps"}, {Head: "95 % CI\nMbps"},
			{Head: "run\nCV %"}, {Head: "CPU-s\n/Gbit", Full: "relay CPU-s/Gbit"},
		},
		Notes: []string{"Records are means over the trials, counted by the client, in bytes of plain text; n/a where its kernel seals them."},
	}
	for _, c := range ceilings {
		if c.Config.FramesPerRecord == 0 {
			continue
		}
		r := recordsOf(trials, c.Config)
		shown := c.Config
		shown.FramesPerRecord = 0
		row := []string{Names([]Config{shown})[shown], fmt.Sprint(c.Config.FramesPerRecord), r.toRelay(), r.fromRelay()}
		if c.At == nil {
			t.addNote(c.Config.Transport + ": n/a: " + c.NA)
			t.Rows = append(t.Rows, append(row, na, na, na, na))
			continue
		}
		t.Rows = append(t.Rows, append(row, c.value(), c.interval(), percent(c.At.DeliveredBps.CV), number(c.At.CPUPerGbit.Mean)))
	}
	return t
}
