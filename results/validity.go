package results

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// Code says in one word why some of a trial's numbers cannot be trusted.
type Code string

// The codes. docs/VALIDITY.md has what each spoils, and what mends it.
const (
	ClientLimited  Code = "client-limited"
	NicLimited     Code = "nic-limited"
	PacingLate     Code = "pacing-late"
	ClientLag      Code = "client-lag"
	Corrupt        Code = "corrupt"
	Accounting     Code = "accounting"
	Oversubscribed Code = "oversubscribed"
	Undrained      Code = "undrained"
	ClockSkew      Code = "clock-skew"
	Stolen         Code = "steal"
	Apart          Code = "apart"
)

// Quantity is what of a trial a code spoils. One that is spoiled does not throw
// away the others.
type Quantity uint8

// The quantities.
const (
	Throughput Quantity = 1 << iota // sent, delivered, loss, shortfall
	Latency                         // and round trips
	Cost                            // the relay's CPU time and counters
)

const everything = Throughput | Latency | Cost

// Quantities are all of them, in the order of tables.
var Quantities = []Quantity{Throughput, Latency, Cost}

// String is the quantities in words.
func (q Quantity) String() string {
	switch q {
	case everything:
		return "all"
	case 0:
		return "none"
	}
	var names []string
	for i, name := range []string{"throughput", "latency", "cost"} {
		if q&Quantities[i] != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// effect is what a code may have done to a trial's throughput.
type effect uint8

const (
	anyEffect effect = iota // made it wrong, either way
	slowed                  // made it less, nobody knows by how much: what was carried is a proof
	bounded                 // kept it from being more: it is at least what was measured
)

// codeInfo is a code's mark in tables, what it means, spoils, and what mends it.
type codeInfo struct {
	code    Code
	mark    string
	meaning string
	spoils  Quantity
	effect  effect // on the throughput
	remedy  string
}

var codes = []codeInfo{
	{ClientLimited, "c", "what is missing waited for the client: packets that were due and that nobody else held, or data that lay at its receivers", Throughput | Latency, bounded, "give the client more CPUs, or more hosts (--client-host)"},
	{NicLimited, "n", "the network between relay and clients was full: 95 % of what raw TCP carries over it", Throughput | Latency, bounded, "a faster link, or --data-addr of one"},
	{PacingLate, "p", "the client kept its schedule badly: 1 % of the pacing ticks passed later than the bound", Latency, anyEffect, "nothing else on the client's CPUs; hdbench doctor"},
	{ClientLag, "l", "over half of the latency at the 99th percentile may be the client's own", Latency, anyEffect, "give the client more CPUs, or a longer tick"},
	{Corrupt, "x", "payloads arrived damaged, twice, out of order or from another run", everything, anyEffect, "a fault of the relay or the network: see the trial's record"},
	{Accounting, "a", "the relay's counts and the client's do not agree", everything, anyEffect, "a fault of the relay, of hdbench, or somebody else's traffic at the relay"},
	{Oversubscribed, "o", "more busy threads than CPUs, or relay and client on one CPU", everything, anyEffect, "CPUs of their own: cpus in the scenario, or a second host"},
	{Undrained, "u", "something was still under way when the drain ended: loss is not exact", Throughput, anyEffect, "a longer drain"},
	{ClockSkew, "k", "packets arrived before they were sent, or a host's clock moved by more than clocks do: the clocks do not agree", everything, anyEffect, "see hdbench doctor of the hosts' clocks"},
	{Stolen, "s", "the hypervisor gave more of the relay's or the client's CPU time to others than a measurement can stand", everything, slowed, "a host of one's own, or another hour"},
	{Apart, "d", "the hypervisor had moved the relay's CPU and the client's to different caches: what goes between them takes longer than in the other trials", everything, slowed, "pin the virtual machine's CPUs to cores of one cache, or use two hosts"},
}

func infoOf(c Code) codeInfo {
	for _, i := range codes {
		if i.code == c {
			return i
		}
	}
	return codeInfo{code: c, mark: "?", meaning: "of another version", spoils: everything}
}

// Finding is one reason not to trust some of a trial, with its evidence.
type Finding struct {
	Code   Code   `json:"code"`
	Detail string `json:"detail"`
}

// Spoiled are the quantities of a trial that cannot be trusted. What was carried is
// a proof: nothing that can only have made it less can have made it so.
func (t *Trial) Spoiled() Quantity {
	if !t.OK() {
		return everything
	}
	var q Quantity
	carried := !t.Load.Offered.IsMax() && t.Missing() <= CarriedBound
	for _, f := range t.Validity {
		i := infoOf(f.Code)
		spoils := i.spoils
		if carried && i.effect != anyEffect {
			spoils &^= Throughput
		}
		q |= spoils
	}
	return q
}

// Trusts reports whether a quantity of the trial can be trusted.
func (t *Trial) Trusts(q Quantity) bool { return t.OK() && t.Spoiled()&q == 0 }

// Bound reports whether the trial's throughput is a lower bound: all that spoils it
// can only have made it less.
func (t *Trial) Bound() bool {
	if !t.OK() || t.Trusts(Throughput) {
		return false
	}
	for _, f := range t.Validity {
		if i := infoOf(f.Code); i.spoils&Throughput != 0 && i.effect != bounded {
			return false
		}
	}
	return true
}

// Counts reports whether the trial's throughput says something: it is right, or at
// least a lower bound.
func (t *Trial) Counts() bool { return t.Trusts(Throughput) || t.Bound() }

// Bounds of the validity rules.
const (
	// MaxPacingLate is how late the 99th percentile of pacing ticks may be; ten
	// ticks, if those are longer.
	MaxPacingLate = time.Millisecond
	// MaxClientShare is the client's own share of the latency's 99th percentile.
	MaxClientShare = 0.5
	// minClientLag is what no client can do without: a wake-up or two.
	minClientLag = 200 * time.Microsecond
	// MaxSteal is how much of the window the hypervisor may take from the CPUs of
	// the relay, or of a client. docs/VALIDITY.md says why.
	MaxSteal = 0.05
	// minSteal is what /proc/stat, which counts in hundredths of a second, can tell
	// from nothing, in seconds: a short window has no finding for a tick or two.
	minSteal = 0.03
)

// Judge finds what is wrong with a trial's numbers, from the record alone.
func Judge(t *Trial) []Finding {
	if !t.OK() {
		return nil
	}
	var fs []Finding
	add := func(c Code, format string, args ...any) {
		fs = append(fs, Finding{c, fmt.Sprintf(format, args...)})
	}
	l := t.Load
	fs = append(fs, judgeCause(t)...)
	fs = append(fs, judgeLatency(t)...)
	if l.Corrupt+l.Duplicate+l.Reordered+l.Foreign > 0 {
		add(Corrupt, "%d corrupt, %d duplicate, %d reordered, %d foreign packets", l.Corrupt, l.Duplicate, l.Reordered, l.Foreign)
	}
	if l.Undrained > 0 {
		add(Undrained, "%d of %d flows", l.Undrained, l.Flows)
	}
	if l.Skewed > 0 {
		add(ClockSkew, "%d packets", l.Skewed)
	}
	for _, c := range t.Clocks {
		if c.Stepped() {
			add(ClockSkew, "the clock of %s moved by %v in %v", c.Agent, time.Duration(c.DriftNS).Round(time.Microsecond), time.Duration(c.ElapsedNS).Round(time.Millisecond))
		}
	}
	fs = append(fs, judgeAccounting(t)...)
	fs = append(fs, judgeKernelTLS(t)...)
	fs = append(fs, judgeSteal(t)...)
	if d := t.Distance; d != nil && d.Apart() {
		add(Apart, "CPUs %d and %d: %d ns for a cache line and back before, %d ns after; %d ns mostly (bound %d ×)", d.CPUs[0], d.CPUs[1], d.BeforeNS, d.AfterNS, d.UsualNS, measure.Farther)
	}
	return append(fs, judgeCPUs(t)...)
}

// judgeCause finds whether the client, or the line, kept the trial from carrying
// more. A calibration is there to find the client's limit.
func judgeCause(t *Trial) []Finding {
	if t.Kind == KindCalibration {
		return nil
	}
	e := groundsOf(t)
	switch e.cause() {
	case ByLine:
		return e.line
	case ByClient:
		return []Finding{{ClientLimited, e.String()}}
	case Unclear:
		if !e.strain && e.busiest > formerMaxBusy {
			return []Finding{{ClientLimited, fmt.Sprintf("a client thread was %.0f %% busy, and more was not kept (a record of before)", 100*e.busiest)}}
		}
	}
	return nil
}

// formerMaxBusy is how busy a client thread could be where the record of what
// waited for it is missing.
const formerMaxBusy = 0.90

// latePacing finds hosts that kept the schedule badly. With several each is judged
// by itself.
func latePacing(t *Trial) []Finding {
	l := t.Load
	hosts := l.Hosts
	if len(hosts) == 0 {
		hosts = []measure.ClientHost{{Pacing: l.Pacing}}
	}
	bound := max(MaxPacingLate, 10*time.Duration(t.Point.Load.TickNS))
	var fs []Finding
	for _, h := range hosts {
		of := ""
		if h.Agent != "" {
			of = " on " + h.Agent
		}
		if late := time.Duration(h.Pacing.P99NS); late > bound {
			fs = append(fs, Finding{PacingLate, fmt.Sprintf("99th percentile of the ticks' lateness%s %v (bound %v)", of, late.Round(time.Microsecond), bound)})
		}
	}
	return fs
}

// judgeLatency finds whether the latency is the client's own.
func judgeLatency(t *Trial) []Finding {
	l := t.Load
	fs := latePacing(t)
	if t.Kind == KindCalibration { // whose packets wait for nobody but the client
		return fs
	}
	lat := t.latency()
	if own, ok := clientShare(l); ok && lat.Count > 0 && time.Duration(own) > minClientLag && float64(own) > MaxClientShare*float64(lat.P99NS) {
		fs = append(fs, Finding{ClientLag, fmt.Sprintf("the client's own share of the 99th percentile is %v at most, of %v (bound %.0f %%)",
			time.Duration(own).Round(time.Microsecond), time.Duration(lat.P99NS).Round(time.Microsecond), 100*MaxClientShare)})
	}
	return fs
}

// judgeAccounting holds the relay's counts against the client's. At rest every
// packet the client has sent was received, every one it has received was
// forwarded, and the rest was dropped for a reason.
func judgeAccounting(t *Trial) []Finding {
	if t.Relay == nil || t.Relay.Counters == nil {
		return nil
	}
	c, l := t.Relay.Counters, t.Load
	dropped := c.DroppedTotal()
	var wrong string
	switch {
	case c.Received != l.FramesSent:
		wrong = fmt.Sprintf("the client sent %d packets, the relay received %d", l.FramesSent, c.Received)
	case c.Forward != l.FramesReceived:
		wrong = fmt.Sprintf("the relay forwarded %d packets, the client received %d", c.Forward, l.FramesReceived)
	case c.Forward+dropped+uint64(c.Queued) != c.Received:
		wrong = fmt.Sprintf("the relay received %d, forwarded %d, dropped %d, holds %d", c.Received, c.Forward, dropped, c.Queued)
	default:
		return nil
	}
	return []Finding{{Accounting, wrong}}
}

// judgeKernelTLS holds what a relay over ktls should have given to the kernel
// against the kernel's own counters.
func judgeKernelTLS(t *Trial) []Finding {
	if t.Relay == nil || t.Relay.KernelTLS == nil {
		return nil
	}
	k := t.Relay.KernelTLS
	var fs []Finding
	if sealed := k.TxSoftware + k.TxDevice; t.Point.Transport == "ktls" && sealed < uint64(t.Load.Flows) {
		fs = append(fs, Finding{Accounting, fmt.Sprintf("the kernel sealed %d connections, the load has %d flows", sealed, t.Load.Flows)})
	}
	if k.DecryptErrors > 0 {
		fs = append(fs, Finding{Corrupt, fmt.Sprintf("the kernel could not open %d records", k.DecryptErrors)})
	}
	return fs
}

// judgeSteal finds CPUs that were not there for too much of the window.
func judgeSteal(t *Trial) []Finding {
	var fs []Finding
	for i := range t.Steal {
		s := &t.Steal[i]
		set, err := cpu.Parse(s.CPUs)
		if err != nil {
			continue // a record from elsewhere
		}
		if share, ok := s.Share(set.Size()); ok && share > MaxSteal && s.Seconds >= minSteal {
			fs = append(fs, Finding{Stolen, fmt.Sprintf("%.0f %% of the CPU time of %s (bound %.0f %%)", 100*share, cmp.Or(s.Agent, s.Role), 100*MaxSteal)})
		}
	}
	return fs
}

func judgeCPUs(t *Trial) []Finding {
	relay, err := cpu.Parse(t.RelayCPUs)
	if err != nil || t.Relay == nil || relay.IsEmpty() {
		return nil
	}
	if t.Lab != "" {
		return nil // which has no CPUs to spare, and says so: see labNote
	}
	if n := t.Point.Workers; n > relay.Size() {
		return []Finding{{Oversubscribed, fmt.Sprintf("%d workers on %d CPUs (%s)", n, relay.Size(), relay)}}
	}
	for _, h := range t.Load.Hosts {
		client, err := cpu.Parse(h.CPUs)
		if err == nil && h.Host == t.RelayHost && !relay.Intersection(client).IsEmpty() {
			return []Finding{{Oversubscribed, fmt.Sprintf("relay and %s share CPU %s", h.Agent, relay.Intersection(client))}}
		}
	}
	client, err := cpu.Parse(t.ClientCPUs)
	if err != nil || t.RelayHost != t.ClientHost {
		return nil
	}
	if both := relay.Intersection(client); !both.IsEmpty() {
		return []Finding{{Oversubscribed, fmt.Sprintf("relay and client share CPU %s", both)}}
	}
	return nil
}

// marks are the table marks of a set of codes, in the order of the codes.
func marks(seen map[Code]bool) string {
	m := ""
	for _, c := range codes {
		if seen[c.code] {
			m += c.mark
		}
	}
	return m
}
