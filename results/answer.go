package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// Answer is what a sweep comes to, on one screen: what each configuration carries,
// beside TS, what stopped it, and how far to trust that. Everything else in a report
// is evidence for it.
type Answer struct {
	// Unfinished says first that the sweep is not whole; empty if it is.
	Unfinished string
	Setup      string // in one line
	Rate       string // of CPU time and latency; empty if there is none
	Rows       []AnswerRow
	HasTS      bool     // the sweep has a baseline to stand beside
	NotHere    []string // configurations that cannot be measured on this host, a line a reason
	Findings   []string
	Trust      string
}

// AnswerRow is one configuration.
type AnswerRow struct {
	Name    string
	Ceiling *Ceiling
	Of      Bounded     // beside TS over the same transport, or else over TLS
	OfTLS   bool        // it is beside TS over TLS for want of the same transport
	IsTS    bool        // it is what the others stand beside
	At      *PointStats // at the rate of the comparison; nil if there is none
}

// Bounds of the answer: it fits 24 lines.
const (
	answerLines    = 24
	answerFindings = 3
)

// NewAnswer makes the answer of a set of records.
func NewAnswer(set *Set, points []*PointStats, ceilings []Ceiling, versus []Versus) *Answer {
	a := &Answer{Setup: setupLine(&set.Environment, ceilings), HasTS: len(versus) > 0}
	a.Unfinished = set.interruption()
	a.rows(ceilings, versus)
	a.Findings = headlines(points, ceilings, versus)
	a.Trust = trustLine(set.Trials, points)
	return a
}

// rows makes a row of every configuration, those that cannot be measured here in
// lines of their own.
func (a *Answer) rows(ceilings []Ceiling, versus []Versus) {
	names := answerNames(ceilings)
	a.NotHere = notHereLines(ceilings)
	oneRate := true
	for _, v := range versus {
		oneRate = oneRate && v.Rate == versus[0].Rate && v.Rate > 0
	}
	if len(versus) > 0 && oneRate {
		a.Rate = fmt.Sprintf("CPU-s/Gbit and p99 at %v offered", versus[0].Rate)
		if versus[0].Lossy {
			a.Rate += ", not carried by all"
		}
	} else if len(versus) > 1 {
		a.Rate = "CPU-s/Gbit and p99 at the highest rate all of a load carried"
	}
	for i := range ceilings {
		c := &ceilings[i]
		if c.NotHere {
			continue
		}
		r := AnswerRow{Name: names[c.Config], Ceiling: c, Of: Bounded{NA: "the sweep has no TS"}}
		for j := range versus {
			r.beside(&versus[j])
		}
		if len(versus) == 0 {
			r.At = c.Carried
		}
		a.Rows = append(a.Rows, r)
	}
}

// notHereLines are the configurations that cannot be measured on this host, a line a
// reason, with what would mend it.
func notHereLines(ceilings []Ceiling) []string {
	names := answerNames(ceilings)
	var reasons []string
	who := map[string][]string{}
	for _, c := range ceilings {
		if !c.NotHere {
			continue
		}
		why := c.NA
		if ktls := c.Config.Transport == "ktls" || c.Config.ClientTransport == "ktls"; ktls && strings.Contains(why, "kernel TLS") {
			why = "no TLS in this kernel: modprobe tls, or make sweep-lab" // Validity has the reason whole
		}
		if who[why] == nil {
			reasons = append(reasons, why)
		}
		who[why] = append(who[why], names[c.Config])
	}
	var out []string
	for _, why := range reasons {
		n := who[why]
		of := strings.Join(n, ", ")
		if len(n) > 3 {
			of = fmt.Sprintf("%s and %d more", n[0], len(n)-1)
		}
		out = append(out, fmt.Sprintf("Not here: %s: %s.", of, why))
	}
	return out
}

// beside fills in what a comparison says of the row.
func (r *AnswerRow) beside(v *Versus) {
	for i := range v.Rows {
		row := &v.Rows[i]
		if row.Ceiling.Config != r.Ceiling.Config {
			continue
		}
		r.Of, r.OfTLS = row.Of(), row.Same == nil && row.TLS != nil
		r.IsTS = row.Same != nil && row.Same.Config == r.Ceiling.Config
		r.At = v.At[r.Ceiling.Config]
	}
}

// Shown are the rows that stand where there is no room for all: the best of each
// relay and transport; and how many are left out.
func (a *Answer) Shown(room int) (rows []AnswerRow, left int) {
	if len(a.Rows) <= room {
		return a.Rows, 0
	}
	type key struct{ relay, transport string }
	best := map[key]AnswerRow{}
	var order []key
	for _, r := range a.Rows {
		k := key{r.Ceiling.Config.Relay, r.Ceiling.Config.Transport}
		b, ok := best[k]
		if !ok {
			order = append(order, k)
		}
		if !ok || better(r.Ceiling, b.Ceiling) {
			best[k] = r
		}
	}
	for _, k := range order {
		rows = append(rows, best[k])
	}
	return rows, len(a.Rows) - len(rows)
}

// answerNames are short names: what all of a relay's configurations share is left
// out, and stands in the setup line or the report.
func answerNames(ceilings []Ceiling) map[Config]string {
	var cs []Config
	workers := map[string]map[int]bool{}
	loads := map[Shape]bool{}
	for _, c := range ceilings {
		cs = append(cs, c.Config)
		if workers[c.Config.Relay] == nil {
			workers[c.Config.Relay] = map[int]bool{}
		}
		workers[c.Config.Relay][c.Config.Workers] = true
		loads[c.Config.Load] = true
	}
	full := Names(cs)
	names := map[Config]string{}
	for _, c := range cs {
		name := full[c]
		if len(workers[c.Relay]) == 1 {
			for _, w := range []string{fmt.Sprintf(" GOMAXPROCS=%d", c.Workers), " 1 worker", fmt.Sprintf(" %d workers", c.Workers)} {
				name = strings.Replace(name, w, "", 1)
			}
		} else {
			name = strings.NewReplacer(" workers", "w", " worker", "w", "GOMAXPROCS=", "P=").Replace(name)
		}
		if c.Version != "" && !severalVersions(cs, c.Relay) {
			name = strings.Replace(name, " "+c.Version, "", 1)
		}
		if len(loads) > 1 {
			name += ", " + c.Load.apart(loads)
		}
		names[c] = name
	}
	return names
}

func severalVersions(cs []Config, relay string) bool {
	var seen []string
	for _, c := range cs {
		if c.Relay == relay && !slices.Contains(seen, c.Version) {
			seen = append(seen, c.Version)
		}
	}
	return len(seen) > 1
}

// apart is what tells a shape from others, in few words.
func (s Shape) apart(others map[Shape]bool) string {
	var parts []string
	differs := func(field func(Shape) string) bool {
		for o := range others {
			if field(o) != field(s) {
				return true
			}
		}
		return false
	}
	for _, f := range []func(Shape) string{
		func(s Shape) string { return s.Pattern },
		func(s Shape) string { return fmt.Sprintf("%d pairs", s.Pairs) },
		func(s Shape) string { return fmt.Sprintf("%dB", s.PayloadBytes) },
		func(s Shape) string { return s.burst() },
		func(s Shape) string { return s.Congestion },
	} {
		if differs(f) {
			parts = append(parts, cmp.Or(f(s), "default"))
		}
	}
	return strings.Join(parts, " ")
}

// setupLine is where and with what, in one line.
func setupLine(env *Environment, ceilings []Ceiling) string {
	var parts []string
	if len(ceilings) > 0 {
		l := ceilings[0].Config.Load
		same := !slices.ContainsFunc(ceilings, func(c Ceiling) bool { return c.Config.Load != l })
		if same {
			parts = append(parts, fmt.Sprintf("%d %s of %dB, burst %s", l.Pairs, l.Pattern, l.PayloadBytes, l.burst()))
		}
	}
	var relay, client *HostEntry
	for i := range env.Hosts {
		h := &env.Hosts[i]
		if slices.Contains(h.Roles, "relay") {
			relay = h
		}
		if slices.Contains(h.Roles, "client") && client == nil {
			client = h
		}
	}
	if relay != nil && client != nil {
		where := "two hosts"
		if relay.Host.Same(client.Host) {
			where = "one host"
		}
		parts = append(parts, fmt.Sprintf("%s: relay CPUs %s, client %s", where, relay.CPUs, client.CPUs))
	}
	for _, v := range env.Relays {
		if v.Name == RelayDerper && v.NA == "" {
			parts = append(parts, "TS = derper "+shortVersion(v.Version))
		}
	}
	if relay != nil {
		parts = append(parts, "Linux "+relay.Host.Kernel)
	}
	return strings.Join(parts, "; ")
}

// shortVersion is a version without what follows its number.
func shortVersion(v string) string {
	v, _, _ = strings.Cut(v, "-")
	v, _, _ = strings.Cut(v, " ")
	return v
}

// headlines are the few sentences that matter most: what stands beside TS over TLS,
// as published; what encryption costs; who collapses.
func headlines(points []*PointStats, ceilings []Ceiling, versus []Versus) []string {
	names := answerNames(ceilings)
	many := len(versus) > 1
	var lines []string
	for i := range versus {
		v := &versus[i]
		var said []string
		for _, r := range v.bests() {
			if r.TLS != nil && r.OfTLS.NA == "" {
				said = append(said, fmt.Sprintf("%s %s%s×", names[r.Ceiling.Config], r.OfTLS.Bound, number(r.OfTLS.Value)))
			}
		}
		if len(said) > 0 && !many {
			lines = append(lines, "Beside TS over TLS, as published: "+strings.Join(said, ", ")+".")
		}
	}
	var taxes []string
	for _, cost := range TransportCosts(ceilings) {
		for i := range cost.Ceilings {
			c := &cost.Ceilings[i]
			if c.Config == cost.Base.Config || c.At == nil {
				continue
			}
			tax := TaxOf(c, cost.Base)
			if tax.NA != "" || !(tax.Lo > 0) || tax.AtMost {
				continue
			}
			taxes = append(taxes, fmt.Sprintf("%s %s %%", names[c.Config], tax.short()))
		}
	}
	if len(taxes) > 0 {
		lines = append(lines, "TLS takes of the tcp ceiling: "+strings.Join(taxes[:min(len(taxes), 4)], ", ")+".")
	}
	var collapsing []string
	f := &findings{points: points, ceilings: ceilings}
	for i := range ceilings {
		if r, top, ok := f.collapses(&ceilings[i]); ok {
			collapsing = append(collapsing, fmt.Sprintf("%s to %s %% at %s", names[ceilings[i].Config], percent(r.Value), offeredText(top)))
		}
	}
	if len(collapsing) > 0 {
		lines = append(lines, "Under overload collapse: "+strings.Join(collapsing[:min(len(collapsing), 3)], ", ")+" of the ceiling.")
	}
	if l := limitLine(ceilings, names); l != "" {
		lines = append(lines, l)
	}
	return lines[:min(len(lines), answerFindings)]
}

// limitLine says what would move the limits that are not the relay's own.
func limitLine(ceilings []Ceiling, names map[Config]string) string {
	by := map[Cause][]string{}
	for _, c := range ceilings {
		if c.At != nil && c.AtLeast {
			by[c.Limit.What] = append(by[c.Limit.What], names[c.Config])
		}
	}
	for _, what := range []Cause{ByClient, ByLine, NotReached, Unclear} {
		if n := by[what]; len(n) > 0 {
			who := strings.Join(n[:min(len(n), 4)], ", ")
			return fmt.Sprintf("≥ of %s: limit %s; %s.", who, what, limitInfoOf(what).remedy)
		}
	}
	return ""
}

// short is the tax without its interval.
func (x Tax) short() string {
	s := fmt.Sprintf("%.0f", 100*x.Value)
	switch {
	case x.AtLeast:
		return "≥ " + s
	case x.AtMost:
		return "≤ " + s
	}
	return s
}

// trustLine is how many trials there are, what of them is not trusted, and what
// would mend most of it.
func trustLine(trials []*Trial, points []*PointStats) string {
	total, failed, na := 0, 0, 0
	spoiled := map[Quantity]int{}
	count := map[Code]int{}
	unchecked := 0
	for _, t := range trials {
		if t.Kind != KindTrial {
			continue
		}
		switch {
		case t.NA != "":
			na++
			continue
		case !t.OK():
			total++
			failed++
			continue
		}
		total++
		q := t.Spoiled()
		for _, k := range Quantities {
			if q&k != 0 {
				spoiled[k]++
			}
		}
		seen := map[Code]bool{}
		for _, f := range t.Validity {
			if !seen[f.Code] {
				seen[f.Code] = true
				count[f.Code]++
			}
		}
		if t.Relay == nil || t.Relay.Counters == nil {
			unchecked++
		}
	}
	if total == 0 {
		return "no trial has been made yet"
	}
	var parts []string
	for _, k := range Quantities {
		if n := spoiled[k]; n > 0 {
			what := k.String() + " of " + fmt.Sprint(n)
			parts = append(parts, what)
		}
	}
	if failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	s := plural(total, "trial")
	if len(parts) == 0 {
		s += ", every number trusted"
	} else {
		s += "; not trusted: " + strings.Join(parts, ", ")
		var worst Code
		most := 0
		for _, c := range codes {
			if n := count[c.code]; n > most {
				worst, most = c.code, n
			}
		}
		if worst != "" {
			s += fmt.Sprintf(" (mostly %s: %s)", worst, infoOf(worst).remedy)
		}
	}
	if unchecked > 0 {
		s += fmt.Sprintf("; packets of %d not checked against the relay's own counts", unchecked)
	}
	return s
}

// LoadTrust is the trust line of one load that was run by hand: the relay's own counts
// are not known. relayCPUs is where the relay may run if it is on this host, else empty.
func LoadTrust(l *measure.Load, relayCPUs string) string {
	t := &Trial{Schema: SchemaVersion, Kind: KindTrial, Load: l, Point: Point{Offered: l.Offered}}
	t.Validity = Judge(t)
	if relay, err := cpu.Parse(relayCPUs); err == nil {
		if both := relay.Intersection(loadCPUs(l)); !both.IsEmpty() {
			t.Validity = append(t.Validity, Finding{Oversubscribed, fmt.Sprintf("relay and load may both run on CPU %s: use --cpus of either", both)})
		}
	}
	if len(t.Validity) == 0 {
		return "every number is trusted as far as the client can tell; the relay's own counts were not checked"
	}
	var parts []string
	for _, f := range t.Validity {
		i := infoOf(f.Code)
		parts = append(parts, fmt.Sprintf("%s not trusted: %s (%s); %s", i.spoils, f.Code, f.Detail, i.remedy))
	}
	return strings.Join(parts, "; ")
}

// loadCPUs are the CPUs that the load's threads are pinned to.
func loadCPUs(l *measure.Load) cpu.Set {
	var set cpu.Set
	for _, th := range l.Threads {
		if s, err := cpu.Parse(th.CPU); err == nil {
			set = set.Union(s)
		}
	}
	return set
}
