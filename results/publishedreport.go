package results

import "fmt"

// Report prints the published tables again, in the order of every report.
func (p *Published) Report() *Report {
	sweep, tax := p.plots()
	var faults []string
	for _, f := range p.Faults {
		faults = append(faults, fmt.Sprintf("Fault %d: %s", f.Number, f.Text))
	}
	return &Report{
		title: "published figures",
		sections: []section{
			{title: "Setup", text: append([]string{"Published, not measured here: " + p.Title + "."}, p.Setup...)},
			{title: "Key findings", text: []string{"None: the runs behind these figures are not published, so there is no interval to found a sentence on."}},
			{title: "Rate sweep", tables: []*Table{p.DeliveredTable()}, figures: sweep},
			{title: "Ceilings and kTLS cost", tables: []*Table{p.TaxTable()}, figures: tax},
			{title: "CPU breakdown", tables: []*Table{p.CPUTable()}},
			{title: "Cache cliff", tables: []*Table{p.CacheTable()}},
			{title: "Comparison to TS", tables: []*Table{p.ThroughputTable()}},
			{title: "Validity", text: append(faults, p.Remarks...)},
			{
				title:    "How to reproduce",
				text:     []string{"These figures are of Hyper-DERP, which is not here. The same matrix with hdbench's own relay beside derper 1.96.4, on hardware of your own:"},
				commands: []string{"make build", "make baseline DERPER=1.96.4", "bin/hdbench sweep haswell"},
			},
		},
	}
}
