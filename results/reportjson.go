package results

import (
	_ "embed"
	"io"

	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results/stat"
)

// ReportSchema is the JSON Schema of what WriteReportJSON writes.
//
//go:embed schema/report.schema.json
var ReportSchema []byte

// reportSchemaID names the schema in every file that follows it.
const reportSchemaID = "https://hdbench.invalid/schema/report-2.json"

// reportJSON is a report for machines: what the tables say, with all digits.
// Rates are bit/s, shares of one are shares, what is n/a is null.
type reportJSON struct {
	SchemaID    string        `json:"$schema"`
	Schema      int           `json:"schema"`
	Environment Environment   `json:"environment"`
	Interrupted *progress     `json:"interrupted,omitempty"` // the sweep did not come to its end
	Answer      answerJSON    `json:"answer"`
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
	Bounds        int            `json:"bounds"`
	Carried       int            `json:"carried"`
	LatencyRuns   int            `json:"latency_runs"`
	CostRuns      int            `json:"cost_runs"`
	P99           summaryJSON    `json:"latency_p99_ns"` // of the runs' own
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
	Configuration string        `json:"configuration"`
	Config        Config        `json:"config"`
	Delivered     *estimateJSON `json:"delivered_bps"`
	At            units.Rate    `json:"at_offered,omitempty"`
	Carried       units.Rate    `json:"carried_offered,omitempty"` // the highest rate that was carried
	Limit         limitJSON     `json:"limit"`
	AtLeast       bool          `json:"at_least"` // the true ceiling may be higher
	Why           string        `json:"why,omitempty"`
	NA            string        `json:"na,omitempty"`
}

// estimateJSON is a value with a 95 % interval that need not lie evenly about it.
type estimateJSON struct {
	N     int      `json:"n"`
	Value *float64 `json:"value"`
	Lower *float64 `json:"lower"`
	Upper *float64 `json:"upper"`
}

// limitJSON is what stopped a configuration.
type limitJSON struct {
	What     Cause  `json:"what,omitempty"`
	Evidence string `json:"evidence,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
	Trials   int    `json:"trials_asked,omitempty"`
	Agree    int    `json:"trials_agreeing,omitempty"`
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

// boundedJSON is a ratio that may be a bound only, or may not be there.
type boundedJSON struct {
	ratioJSON
	Bound string `json:"bound,omitempty"` // at-least, at-most
	NA    string `json:"na,omitempty"`
}

// versusJSON is everything under one load beside TS.
type versusJSON struct {
	Load   Shape             `json:"load"`
	TS     map[string]string `json:"ts"` // transport: the baseline's best configuration over it
	CostAt units.Rate        `json:"cost_at_offered,omitempty"`
	Relays []versusRowJSON   `json:"relays"`
	Rates  []rateRowJSON     `json:"rates"`
}

type versusRowJSON struct {
	Configuration string       `json:"configuration"`
	Ceiling       *boundedJSON `json:"ceiling_of_ts"`     // over the same transport
	CeilingTLS    *boundedJSON `json:"ceiling_of_ts_tls"` // over TLS, as published
	CPUPerGbit    *ratioJSON   `json:"cpu_per_gbit_of_ts"`
}

type rateRowJSON struct {
	Configuration string       `json:"configuration"`
	Offered       units.Rate   `json:"offered"`
	Delivered     summaryJSON  `json:"delivered_bps"`
	Loss          *float64     `json:"loss"`
	OfTS          *boundedJSON `json:"delivered_of_ts"`
	OfTSTLS       *boundedJSON `json:"delivered_of_ts_tls"`
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
			j.Delivered, j.At = jsonOfEstimate(c.Delivered), c.At.Point.Offered
			j.Limit = limitJSON{c.Limit.What, c.Limit.Evidence, c.Limit.Remedy, c.Limit.Trials, c.Limit.Agree}
		}
		if c.Carried != nil {
			j.Carried = c.Carried.Point.Offered
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
	r.Answer = NewAnswer(set, points, ceilings, vs).json()
	for i := range vs {
		r.VersusTS = append(r.VersusTS, vs[i].json(names))
	}
	for _, c := range Cliffs(points, set.Trials) {
		r.Cliffs = append(r.Cliffs, c.json(names[c.Config]))
	}
	return writeJSON(w, r)
}

func jsonOfSummary(s stat.Summary) summaryJSON {
	return summaryJSON{s.N, orNull(s.Mean), orNull(s.SD), orNull(s.CV), orNull(s.Half)}
}

func jsonOfRatio(r stat.Ratio) *ratioJSON {
	return &ratioJSON{orNull(r.Value), orNull(r.Lo), orNull(r.Hi)}
}

func (t Tax) json(name, tcp string) taxJSON {
	j := taxJSON{Configuration: name, TCP: tcp, AtLeast: t.AtLeast, AtMost: t.AtMost, NA: t.NA}
	if t.NA == "" {
		j.Tax = *jsonOfRatio(stat.Ratio{Value: t.Value, Lo: t.Lo, Hi: t.Hi})
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
		Sent: jsonOfSummary(h.SentBps), Delivered: jsonOfSummary(h.DeliveredBps), Busiest: h.Busiest, Pacing: quantiles(h.Pacing), Lateness: quantiles(h.Lateness),
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
		Configuration: name, Point: p.Point, Runs: p.Runs, Valid: p.Valid, Bounds: p.Bounds, Carried: p.Carried,
		LatencyRuns: p.LatencyRuns, CostRuns: p.CostRuns, P99: jsonOfSummary(p.P99), Failed: p.Failed, NA: p.NA, Marks: p.Marks,
		Sent: jsonOfSummary(p.SentBps), Delivered: jsonOfSummary(p.DeliveredBps),
		Shortfall: orNull(p.Shortfall), Loss: orNull(p.Loss), IntervalCV: orNull(p.IntervalCV),
		Latency: quantiles(p.Latency), RTT: quantiles(p.RTT), Pacing: quantiles(p.Pacing), Lateness: quantiles(p.Lateness),
		RelayCPUs: jsonOfSummary(p.RelayCPU), CPUPerGbit: jsonOfSummary(p.CPUPerGbit), Counters: p.Counters.json(),
	}
}

func (b Bounded) json() *boundedJSON {
	j := &boundedJSON{NA: b.NA, Bound: map[Bound]string{AtLeast: "at-least", AtMost: "at-most"}[b.Bound]}
	if b.NA == "" {
		j.ratioJSON = *jsonOfRatio(b.Ratio)
	}
	return j
}

func (v *Versus) json(names map[Config]string) versusJSON {
	j := versusJSON{Load: v.Load, CostAt: v.Rate, TS: map[string]string{}, Relays: []versusRowJSON{}, Rates: []rateRowJSON{}}
	for transport, c := range v.TS {
		j.TS[transport] = names[c.Config]
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		row := versusRowJSON{Configuration: names[r.Ceiling.Config], Ceiling: r.OfSame.json(), CeilingTLS: r.OfTLS.json()}
		if r.Same != nil {
			if at, base := v.At[r.Ceiling.Config], v.At[r.Same.Config]; at != nil && base != nil {
				row.CPUPerGbit = jsonOfRatio(stat.RatioOf(at.CPUPerGbit, base.CPUPerGbit))
			}
		}
		j.Relays = append(j.Relays, row)
	}
	for _, r := range v.Rates {
		p := r.Point
		j.Rates = append(j.Rates, rateRowJSON{names[p.Point.Config], r.Offered, jsonOfSummary(p.DeliveredBps), orNull(p.Loss), r.OfSame.json(), r.OfTLS.json()})
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
