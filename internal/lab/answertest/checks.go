package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"hdbench/internal/lab/byhand"
	"hdbench/internal/units"
	"hdbench/results"
)

// What is promised of every sweep's answer.
const (
	ceilingFrom, ceilingTo = 0.8, 1.25 // of the highest rate carried by hand
	tcpOfTS, tlsOfTS       = 8, 2.2    // hd's ceiling over derper's, at least
	judgedShare            = 0.8       // of the points of the smaller of two sweeps
)

// checks are promises, and whether each held.
type checks struct {
	rows    [][]string
	failed  int
	skipped []string
}

// note counts a promise: n of so many times it held.
func (c *checks) note(promise string, n, of int, detail string) {
	held := "holds"
	if n < of {
		held = "does not hold"
		c.failed++
	}
	c.rows = append(c.rows, []string{promise, fmt.Sprintf("%d of %d", n, of), held, detail})
}

func (c *checks) skip(why string) { c.skipped = append(c.skipped, why) }

func (c *checks) held() bool { return c.failed == 0 }

func (c *checks) table() *results.Table {
	return &results.Table{
		Title: "What is promised of the answer", Keys: 1,
		Columns: []results.Column{{Head: "promise", Left: true}, {Head: "held"}, {Head: "", Left: true}, {Head: "where not", Left: true, Prose: true}},
		Rows:    c.rows, Notes: c.skipped,
	}
}

// ceilings holds each sweep's ceilings against the highest rate carried by hand. What was
// most delivered stands beside it: a mean of three windows is no better known than the
// ceiling it would judge.
func (c *checks) ceilings(rounds []round) *results.Table {
	t := &results.Table{
		Title: "The sweeps' ceilings beside the same relays driven by hand, Mbps", Keys: 2,
		Columns: []results.Column{
			{Head: "sweep"}, {Head: "configuration", Left: true}, {Head: "ceiling"}, {Head: "limit", Left: true}, {Head: "by hand\ncarried"}, {Head: "ratio"},
			{Head: "by hand\ndelivered"}, {Head: "ratio"}, {Head: "carried\nin sweep"},
		},
		Notes: []string{"Carried is the highest offered rate of which no more than 0.5 % was missing: in one of up to three windows by hand, in most runs of a sweep. By hand delivered is the mean of three windows at the rate that delivered most."},
	}
	held, all := 0, 0
	var not []string
	for i, r := range rounds {
		for _, ceiling := range r.report.Ceilings {
			if ceiling.NA != "" && ceiling.Delivered == nil {
				if i == 0 {
					c.skip(ceiling.Configuration + " was not driven: " + ceiling.NA)
				}
				continue
			}
			top, delivered := r.top[ceiling.Configuration], *ceiling.Delivered.Value
			all++
			if ratio := delivered / top.Carried; ratio >= ceilingFrom && ratio <= ceilingTo {
				held++
			} else {
				not = append(not, fmt.Sprintf("sweep %d: %s %.2f", i+1, ceiling.Configuration, ratio))
			}
			bound := ""
			if ceiling.AtLeast {
				bound = "≥ "
			}
			t.Rows = append(t.Rows, []string{
				fmt.Sprint(i + 1), ceiling.Configuration, bound + mbps(delivered), string(ceiling.Limit.What), mbps(top.Carried), share(delivered, top.Carried),
				mbps(top.Most), share(delivered, top.Most), mbps(float64(ceiling.Carried)),
			})
		}
	}
	c.note(fmt.Sprintf("ceilings are %v to %v of the highest rate carried by hand", ceilingFrom, ceilingTo), held, all, strings.Join(not, ", "))
	return t
}

func mbps(v float64) string { return fmt.Sprintf("%.0f", v/float64(units.Mbps)) }

func share(a, b float64) string {
	if a == 0 || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// best is the highest ceiling of a relay over a transport.
func best(r *byhand.Report, relay, transport string) *byhand.Ceiling {
	var b *byhand.Ceiling
	for i := range r.Ceilings {
		c := &r.Ceilings[i]
		if c.Config.Relay == relay && c.Config.Transport == transport && c.Delivered != nil && (b == nil || *c.Delivered.Value > *b.Delivered.Value) {
			b = c
		}
	}
	return b
}

// ofTS is what a report says of a configuration beside TS over the same transport.
func ofTS(r *byhand.Report, configuration string) *byhand.Bounded {
	for _, v := range r.VersusTS {
		for _, row := range v.Relays {
			if row.Configuration == configuration && row.OfTS != nil && row.OfTS.Value != nil {
				return row.OfTS
			}
		}
	}
	return nil
}

// ratios holds hd beside derper over tcp and tls.
func (c *checks) ratios(rounds []round) *results.Table {
	t := &results.Table{
		Title: "hd beside TS over the same transport, × TS", Keys: 1,
		Columns: []results.Column{{Head: "sweep"}, {Head: "tcp"}, {Head: "95 % interval"}, {Head: "tls"}, {Head: "95 % interval"}},
	}
	for i := range rounds {
		row := []string{fmt.Sprint(i + 1)}
		for _, transport := range []string{"tcp", "tls"} {
			ratio := hdOfTS(rounds[i].report, transport)
			if ratio == nil {
				row = append(row, "n/a", "n/a")
				continue
			}
			bound := map[string]string{"at-least": "≥ ", "at-most": "≤ "}[ratio.Bound]
			row = append(row, fmt.Sprintf("%s%.2f", bound, *ratio.Value), interval(ratio))
		}
		t.Rows = append(t.Rows, row)
	}
	for _, promise := range []struct {
		transport string
		least     float64
	}{{"tcp", tcpOfTS}, {"tls", tlsOfTS}} {
		held := 0
		var not []string
		for i := range rounds {
			ratio := hdOfTS(rounds[i].report, promise.transport)
			if ratio != nil && *ratio.Value >= promise.least && ratio.Bound != "at-most" {
				held++
			} else {
				not = append(not, fmt.Sprintf("sweep %d", i+1))
			}
		}
		c.note(fmt.Sprintf("hd over %s carries %v × TS at least", promise.transport, promise.least), held, len(rounds), strings.Join(not, ", "))
	}
	return t
}

func interval(b *byhand.Bounded) string {
	if b.Lower == nil || b.Upper == nil {
		return "n/a"
	}
	return fmt.Sprintf("%.2f–%.2f", *b.Lower, *b.Upper)
}

// hdOfTS is the ratio of the best of hd over a transport; nil if the sweep has none.
func hdOfTS(r *byhand.Report, transport string) *byhand.Bounded {
	hd := best(r, results.RelayHD, transport)
	if hd == nil {
		return nil
	}
	return ofTS(r, hd.Configuration)
}

// winners checks that all sweeps have the same configuration on top, of all and over
// each transport.
func (c *checks) winners(rounds []round) {
	winner := func(r *byhand.Report, transport string) string {
		name, most := "", 0.0
		for _, x := range r.Ceilings {
			if x.Delivered != nil && (transport == "" || x.Config.Transport == transport) && *x.Delivered.Value > most {
				name, most = x.Configuration, *x.Delivered.Value
			}
		}
		return name
	}
	for _, transport := range []string{"", "tcp", "tls"} {
		of := "of all"
		if transport != "" {
			of = "over " + transport
		}
		count := map[string]int{}
		for _, r := range rounds {
			count[winner(r.report, transport)]++
		}
		most := 0
		var names []string
		for name, n := range count {
			most = max(most, n)
			names = append(names, fmt.Sprintf("%s: %d", name, n))
		}
		slices.Sort(names)
		detail := ""
		if most < len(rounds) {
			detail = strings.Join(names, ", ")
		}
		c.note("the same winner "+of, most, len(rounds), detail)
	}
}

// overlaps checks that the intervals of each ratio have something in common.
func (c *checks) overlaps(rounds []round) {
	for _, transport := range []string{"tcp", "tls"} {
		lower, upper, n := 0.0, math.Inf(1), 0
		var all []string
		for i := range rounds {
			ratio := hdOfTS(rounds[i].report, transport)
			if ratio == nil || ratio.Lower == nil || ratio.Upper == nil {
				all = append(all, "n/a")
				continue
			}
			n++
			lower, upper = math.Max(lower, *ratio.Lower), math.Min(upper, *ratio.Upper)
			all = append(all, interval(ratio))
		}
		detail := ""
		if lower > upper || n < len(rounds) {
			detail = strings.Join(all, ", ")
			if lower > upper {
				n = 0
			}
		}
		c.note(fmt.Sprintf("the intervals of hd over %s, × TS, overlap", transport), n, len(rounds), detail)
	}
}

// compared holds what hdbench compare said of every two sweeps.
func (c *checks) compared(pairs []comparison) *results.Table {
	t := &results.Table{
		Title: "hdbench compare of every two sweeps of the same build", Keys: 1,
		Columns: []results.Column{{Head: "sweeps"}, {Head: "outcome", Left: true}, {Head: "points"}, {Head: "judged"}, {Head: "share"}, {Head: "regressions", Left: true}},
	}
	judged, quiet := 0, 0
	var few, loud []string
	for i := range pairs {
		p := &pairs[i]
		name := fmt.Sprintf("%d, %d", p.a, p.b)
		var regressed []string
		for _, x := range p.Changes {
			if x.Verdict == results.IsRegression {
				regressed = append(regressed, x.Of+" of "+x.Configuration)
			}
		}
		if p.share() >= judgedShare {
			judged++
		} else {
			few = append(few, name)
		}
		if len(regressed) == 0 {
			quiet++
		} else {
			loud = append(loud, name)
		}
		t.Rows = append(t.Rows, []string{
			name, p.Outcome, fmt.Sprint(min(p.Base.Points, p.New.Points)), fmt.Sprint(p.Judged), fmt.Sprintf("%.0f %%", 100*p.share()), strings.Join(regressed, ", "),
		})
	}
	c.note(fmt.Sprintf("compare judges %.0f %% of the points of the smaller sweep", 100*judgedShare), judged, len(pairs), strings.Join(few, "; "))
	c.note("compare finds no regression", quiet, len(pairs), strings.Join(loud, "; "))
	return t
}
