package results

import (
	_ "embed"
	"io"

	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// ReportSchema is the JSON Schema of what WriteReportJSON writes.
//
//go:embed schema/report.schema.json
var ReportSchema []byte

// reportSchemaID names the schema in every file that follows it.
const reportSchemaID = "https://hdbench.invalid/schema/report-1.json"

// reportJSON is a report for machines: what the tables say, with all digits.
// Rates are bit/s, shares of one are shares, what is n/a is null.
type reportJSON struct {
	SchemaID    string        `json:"$schema"`
	Schema      int           `json:"schema"`
	Environment Environment   `json:"environment"`
	Interrupted *progress     `json:"interrupted,omitempty"` // the sweep did not come to its end
	Points      []pointJSON   `json:"points"`
	Ceilings    []ceilingJSON `json:"ceilings"`
	Transports  []taxJSON     `json:"transport_cost"`
	Searches    []searchJSON  `json:"searches,omitempty"`
	Profiles    []profileJSON `json:"profiles,omitempty"`
	VersusTS    []versusJSON  `json:"versus_ts"`
	Cliffs      []cliffJSON   `json:"cliffs,omitempty"`
	Validity    validityJSON  `json:"validity"`
	Notes       []string      `json:"notes"`
	Warnings    []string      `json:"warnings"`
	// Examinations follow DoctorSchema.
	Examinations []*measure.Examination `json:"doctor,omitempty"`
}

type summaryJSON struct {
	N    int      `json:"n"`
	Mean *float64 `json:"mean"`
	SD   *float64 `json:"sd"`
	CV   *float64 `json:"cv"`
	Half *float64 `json:"ci95_half_width"`
}

type quantilesJSON struct {
	Count  int64 `json:"count"`
	P50NS  int64 `json:"p50_ns"`
	P99NS  int64 `json:"p99_ns"`
	P999NS int64 `json:"p999_ns"`
	MaxNS  int64 `json:"max_ns"`
}

type pointJSON struct {
	Configuration string         `json:"configuration"`
	Point         Point          `json:"point"`
	Runs          int            `json:"runs"`
	Valid         int            `json:"valid_runs"`
	Failed        int            `json:"failed_runs"`
	NA            string         `json:"na,omitempty"`
	Marks         string         `json:"marks"`
	Sent          summaryJSON    `json:"sent_bps"`
	Delivered     summaryJSON    `json:"delivered_bps"`
	Shortfall     *float64       `json:"shortfall"`
	Loss          *float64       `json:"loss"`
	IntervalCV    *float64       `json:"interval_cv"`
	Latency       *quantilesJSON `json:"latency"`
	RTT           *quantilesJSON `json:"rtt"`
	Pacing        *quantilesJSON `json:"pacing"`
	Lateness      *quantilesJSON `json:"lateness"`
	RelayCPUs     summaryJSON    `json:"relay_cpus"`
	CPUPerGbit    summaryJSON    `json:"relay_cpu_seconds_per_gbit"`
	Counters      *countersJSON  `json:"counters,omitempty"`
	Clients       []hostJSON     `json:"clients,omitempty"` // where several hosts sent the load
}

// hostJSON is one client host's share of a point.
type hostJSON struct {
	Agent        string         `json:"agent"`
	Host         string         `json:"host"`
	CPUs         string         `json:"cpus"`
	SendFlows    int            `json:"send_flows"`
	ReceiveFlows int            `json:"receive_flows"`
	Sent         summaryJSON    `json:"sent_bps"`
	Delivered    summaryJSON    `json:"delivered_bps"`
	Busiest      float64        `json:"busiest"`
	Pacing       *quantilesJSON `json:"pacing"`
	Lateness     *quantilesJSON `json:"lateness"`
	Limit        *float64       `json:"limit_offered_bps"` // null: not known
}

type ceilingJSON struct {
	Configuration string       `json:"configuration"`
	Config        Config       `json:"config"`
	Delivered     *summaryJSON `json:"delivered_bps"`
	At            units.Rate   `json:"at_offered,omitempty"`
	AtLeast       bool         `json:"at_least"` // the true ceiling may be higher
	Why           string       `json:"why,omitempty"`
	NA            string       `json:"na,omitempty"`
}

type ratioJSON struct {
	Value *float64 `json:"value"`
	Lower *float64 `json:"lower"`
	Upper *float64 `json:"upper"`
}

// taxJSON is what a transport costs against tcp.
type taxJSON struct {
	Configuration string    `json:"configuration"`
	TCP           string    `json:"tcp"` // the configuration it is held against
	Tax           ratioJSON `json:"tax"`
	AtLeast       bool      `json:"at_least"`
	AtMost        bool      `json:"at_most"`
	NA            string    `json:"na,omitempty"`
}

type versusJSON struct {
	Load      Shape      `json:"load"`
	Transport string     `json:"transport"`
	Baseline  string     `json:"baseline"` // configuration; empty: it has no valid trial
	CostAt    units.Rate `json:"cost_at_offered,omitempty"`
	Relays    []struct {
		Configuration string     `json:"configuration"`
		Ceiling       *ratioJSON `json:"ceiling_of_ts"`
		CPUPerGbit    *ratioJSON `json:"cpu_per_gbit_of_ts"`
	} `json:"relays"`
}

type validityJSON struct {
	Trials int            `json:"trials"`
	Valid  int            `json:"valid"`
	Failed int            `json:"failed"`
	NA     int            `json:"not_measurable"`
	Codes  map[string]int `json:"codes"`
}

// WriteReportJSON writes everything the report says as JSON that follows
// ReportSchema.
func WriteReportJSON(w io.Writer, set *Set, compareAt units.Rate) error {
	points, err := Points(set.Trials)
	if err != nil {
		return err
	}
	searches, err := searchesJSON(set.Trials)
	if err != nil {
		return err
	}
	names := configNames(set)
	r := reportJSON{
		SchemaID: reportSchemaID, Schema: SchemaVersion, Environment: set.Environment, Interrupted: set.interruptedJSON(), Points: []pointJSON{}, Ceilings: []ceilingJSON{}, Transports: []taxJSON{}, VersusTS: []versusJSON{},
		Searches: searches, Profiles: profilesJSON(set.Trials, names), Validity: set.validityJSON(), Notes: listed(Stability(points, set.Trials)), Warnings: listed(set.Warnings),
		Examinations: set.Examinations,
	}
	for _, p := range points {
		r.Points = append(r.Points, p.json(names[p.Point.Config]))
	}
	ceilings := Ceilings(points)
	for _, c := range ceilings {
		j := ceilingJSON{Configuration: names[c.Config], Config: c.Config, AtLeast: c.AtLeast, Why: c.Why, NA: c.NA}
		if c.At != nil {
			s := c.At.DeliveredBps.json()
			j.Delivered, j.At = &s, c.At.Point.Offered
		}
		r.Ceilings = append(r.Ceilings, j)
	}
	for _, cost := range TransportCosts(ceilings) {
		for i := range cost.Ceilings {
			if c := &cost.Ceilings[i]; c.Config != cost.Base.Config {
				r.Transports = append(r.Transports, TaxOf(c, cost.Base).json(names[c.Config], names[cost.Base.Config]))
			}
		}
	}
	vs := CompareToTS(points, compareAt)
	for i := range vs {
		r.VersusTS = append(r.VersusTS, vs[i].json(names))
	}
	for _, c := range Cliffs(points, set.Trials) {
		r.Cliffs = append(r.Cliffs, c.json(names[c.Config]))
	}
	return writeJSON(w, r)
}

func (s Summary) json() summaryJSON {
	return summaryJSON{s.N, orNull(s.Mean), orNull(s.SD), orNull(s.CV), orNull(s.Half)}
}

func (r Ratio) json() *ratioJSON {
	return &ratioJSON{orNull(r.Value), orNull(r.Lo), orNull(r.Hi)}
}

func (t Tax) json(name, tcp string) taxJSON {
	j := taxJSON{Configuration: name, TCP: tcp, AtLeast: t.AtLeast, AtMost: t.AtMost, NA: t.NA}
	if t.NA == "" {
		j.Tax = *Ratio{t.Value, t.Lo, t.Hi}.json()
	}
	return j
}

func quantiles(h measure.Histogram) *quantilesJSON {
	if h.Count == 0 {
		return nil
	}
	return &quantilesJSON{h.Count, h.P50NS, h.P99NS, h.P999NS, h.MaxNS}
}

func (h *HostStats) json() hostJSON {
	j := hostJSON{
		Agent: h.Agent, Host: h.Host, CPUs: h.CPUs, SendFlows: h.SendFlows, ReceiveFlows: h.ReceiveFlows,
		Sent: h.SentBps.json(), Delivered: h.DeliveredBps.json(), Busiest: h.Busiest, Pacing: quantiles(h.Pacing), Lateness: quantiles(h.Lateness),
	}
	if h.LimitBps > 0 {
		j.Limit = &h.LimitBps
	}
	return j
}

func (p *PointStats) json(name string) pointJSON {
	var hosts []hostJSON
	for _, h := range p.Hosts {
		hosts = append(hosts, h.json())
	}
	return pointJSON{
		Clients:       hosts,
		Configuration: name, Point: p.Point, Runs: p.Runs, Valid: p.Valid, Failed: p.Failed, NA: p.NA, Marks: p.Marks,
		Sent: p.SentBps.json(), Delivered: p.DeliveredBps.json(),
		Shortfall: orNull(p.Shortfall), Loss: orNull(p.Loss), IntervalCV: orNull(p.IntervalCV),
		Latency: quantiles(p.Latency), RTT: quantiles(p.RTT), Pacing: quantiles(p.Pacing), Lateness: quantiles(p.Lateness),
		RelayCPUs: p.RelayCPU.json(), CPUPerGbit: p.CPUPerGbit.json(), Counters: p.Counters.json(),
	}
}

func (v *Versus) json(names map[Config]string) versusJSON {
	j := versusJSON{Load: v.Load, Transport: v.Transport, CostAt: v.Rate}
	if v.Baseline != nil {
		j.Baseline = names[v.Baseline.Config]
	}
	for _, c := range v.Ceilings {
		r := struct {
			Configuration string     `json:"configuration"`
			Ceiling       *ratioJSON `json:"ceiling_of_ts"`
			CPUPerGbit    *ratioJSON `json:"cpu_per_gbit_of_ts"`
		}{Configuration: names[c.Config]}
		if v.Baseline != nil && c.At != nil {
			r.Ceiling = RatioOf(c.At.DeliveredBps, v.Baseline.At.DeliveredBps).json()
			if at, base := v.At[c.Config], v.At[v.Baseline.Config]; at != nil && base != nil {
				r.CPUPerGbit = RatioOf(at.CPUPerGbit, base.CPUPerGbit).json()
			}
		}
		j.Relays = append(j.Relays, r)
	}
	return j
}

func (s *Set) validityJSON() validityJSON {
	v := validityJSON{Codes: map[string]int{}}
	for _, t := range s.Trials {
		if t.Kind != KindTrial {
			continue
		}
		v.Trials++
		switch {
		case t.NA != "":
			v.NA++
		case !t.OK():
			v.Failed++
		case t.Valid():
			v.Valid++
		}
		seen := map[Code]bool{}
		for _, f := range t.Validity {
			if !seen[f.Code] {
				seen[f.Code] = true
				v.Codes[string(f.Code)]++
			}
		}
	}
	return v
}
