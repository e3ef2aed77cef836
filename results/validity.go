package results

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// Code says in one word why a trial cannot be trusted.
type Code string

// The codes. A trial with any of them is kept and shown, but makes no ceiling.
const (
	ClientLimited  Code = "client-limited"
	NicLimited     Code = "nic-limited"
	PacingLate     Code = "pacing-late"
	Corrupt        Code = "corrupt"
	Accounting     Code = "accounting"
	Oversubscribed Code = "oversubscribed"
	Undrained      Code = "undrained"
	ClockSkew      Code = "clock-skew"
	Stolen         Code = "steal"
)

// codeInfo is a code's mark in tables and what it means.
type codeInfo struct {
	code    Code
	mark    string
	meaning string
}

var codes = []codeInfo{
	{ClientLimited, "c", "the client was at its own limit: a thread over 90 % busy, or more offered than it can send without a relay"},
	{NicLimited, "n", "the network between relay and clients was full: 95 % of what raw TCP carries over it"},
	{PacingLate, "p", "the client kept its schedule badly: 1 % of the pacing ticks came later than the bound"},
	{Corrupt, "x", "payloads arrived damaged, twice, out of order or from another run"},
	{Accounting, "a", "the relay's counts and the client's do not agree"},
	{Oversubscribed, "o", "more busy threads than CPUs, or relay and client on one CPU"},
	{Undrained, "u", "something was still under way when the drain ended: loss is not exact"},
	{ClockSkew, "k", "packets arrived before they were sent, or a host's clock moved by more than clocks do: the clocks do not agree"},
	{Stolen, "s", "the hypervisor gave more of the relay's or the client's CPU time to others than a measurement can stand"},
}

// Finding is one reason not to trust a trial, with its evidence.
type Finding struct {
	Code   Code   `json:"code"`
	Detail string `json:"detail"`
}

// Bounds of the validity rules.
const (
	// MaxBusy is how much of the window a client thread may be on a CPU.
	MaxBusy = 0.90
	// MaxPacingLate is how late the 99th percentile of pacing ticks may be; ten
	// ticks, if those are longer.
	MaxPacingLate = time.Millisecond
	// MaxSteal is how much of the window the hypervisor may take from the CPUs of
	// the relay, or of a client. docs/METHOD.md says why.
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
	fs = append(fs, judgeClients(t)...)
	fs = append(fs, judgeLine(t)...)
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
	return append(fs, judgeCPUs(t)...)
}

// judgeClients finds what the trial owes to the clients themselves. Any host at
// its limit spoils the whole load, so with several each is judged by itself.
func judgeClients(t *Trial) []Finding {
	l := t.Load
	hosts := l.Hosts
	if len(hosts) == 0 {
		hosts = []measure.ClientHost{{Busiest: l.Busiest(), Pacing: l.Pacing, LimitBps: t.ClientLimitBps}}
	}
	bound := max(MaxPacingLate, 10*time.Duration(t.Point.Load.TickNS))
	var fs []Finding
	for _, c := range l.SharedCPUs() {
		if t.Kind != KindCalibration && c.Busy > MaxBusy {
			fs = append(fs, Finding{ClientLimited, fmt.Sprintf("CPU %s of %s was %.0f %% busy with threads of %s (bound %.0f %%)", c.CPU, c.Host, 100*c.Busy, strings.Join(c.Agents, ", "), 100*MaxBusy)})
		}
	}
	for _, h := range hosts {
		who, alone, of := "a client thread", "the client alone", ""
		if h.Agent != "" {
			who, alone, of = "a thread of "+h.Agent, h.Agent+" alone", " on "+h.Agent
		}
		if t.Kind != KindCalibration { // which is there to find the client's limit
			if h.Busiest > MaxBusy {
				fs = append(fs, Finding{ClientLimited, fmt.Sprintf("%s was %.0f %% busy (bound %.0f %%)", who, 100*h.Busiest, 100*MaxBusy)})
			} else if h.LimitBps > 0 && !t.Point.Offered.IsMax() && float64(t.Point.Offered) > h.LimitBps {
				fs = append(fs, Finding{ClientLimited, fmt.Sprintf("%v offered, %s reaches %.0f Mbps", t.Point.Offered, alone, h.LimitBps/1e6)})
			}
		}
		if late := time.Duration(h.Pacing.P99NS); late > bound {
			fs = append(fs, Finding{PacingLate, fmt.Sprintf("99th percentile of the ticks' lateness%s %v (bound %v)", of, late.Round(time.Microsecond), bound)})
		}
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
