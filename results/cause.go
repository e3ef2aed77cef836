package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// Cause is what kept a trial's offered rate from being carried, decided from the
// evidence in its record: docs/VALIDITY.md, "What stopped it".
type Cause string

// The causes. Carried is none, and a proof, however busy the client was.
const (
	Carried      Cause = "carried"
	RelayCPU     Cause = "relay-cpu"     // the relay used up its CPUs
	SendQueue    Cause = "send-queue"    // its queues dropped what it had CPU time for
	BackPressure Cause = "back-pressure" // it held senders back, with CPU time left
	ByClient     Cause = "client"        // the client sent late or read late
	ByLine       Cause = "line"          // the network between them was full
	Unclear      Cause = "unclear"       // the evidence does not say
)

// CarriedBound is how much of the offered rate may be missing, by shortfall and
// loss together, for a trial to have carried it.
const CarriedBound = 0.005

// The bounds of the evidence. docs/VALIDITY.md says what they were held against.
const (
	// relayBusy is how much of its CPU time the relay, or its busiest thread, must
	// use, or wait for, to be at the end of it.
	relayBusy = 0.93
	// relayFree is how little it must use for CPU time to be no cause.
	relayFree = 0.85
	// throttledShare is how much of the window a CPU quota may take.
	throttledShare = 0.05
	// clientHeld is the share of what was not sent that the client itself held, for
	// it to be at fault; under relayHeld it is not.
	clientHeld, relayHeld = 2.0 / 3, 0.5
	// fullReads is the share of reads that may fill their buffer, and waitingShare of
	// the looks that may find data waiting at the receivers.
	fullReads, waitingShare = 0.25, 0.60
	// rwndShare is how much of the time with data to send the relay's sockets may
	// wait for the receivers' windows.
	rwndShare = 0.30
	// Offered as much as goes, a client that found its sockets full, or the relay's
	// windows closed, for less than freeShare of the time is itself what is slow;
	// for more than heldShare it is not.
	freeShare, heldShare = 0.20, 0.30
	// blockedShare is how much of the time senders must find their sockets full for
	// a shortfall to be the relay's back-pressure.
	blockedShare = 0.05
	// standstill is how late the 99th percentile of a client's ticks must be for it to
	// have stood still. A client under a CPU quota of 25 to 70 % has 17 to 76 ms, one
	// that is stopped for 12 ms of every 25 has 17, one on a busy machine some 3.
	standstill = 10 * time.Millisecond
	// crowdShare is for how much of the time sockets must be full for a client's
	// standstills not to be why.
	crowdShare = 0.5
)

// Missing is the share of what was offered that did not arrive, by shortfall and
// loss together; of units.Max, where no end was asked for, by loss alone.
func (t *Trial) Missing() float64 {
	loss, _ := t.Load.Loss()
	shortfall, _ := t.Load.Shortfall()
	return 1 - (1-loss)*(1-shortfall)
}

// CauseOf says what kept a trial that has numbers from carrying its rate.
func CauseOf(t *Trial) Cause {
	g := groundsOf(t)
	return g.cause()
}

// EvidenceOf is what the cause of a trial that has numbers is decided from, in words.
func EvidenceOf(t *Trial) string {
	g := groundsOf(t)
	return g.String()
}

// grounds are what a trial's record says of what stopped it, each figure a share
// of one; NaN where it was not measured.
type grounds struct {
	max     bool    // as much as goes was offered
	missing float64 // of what was offered
	loss    float64

	held     float64 // of the packets not sent, those that nobody but the client held
	waiting  float64 // looks that found data waiting at the receivers
	fullRead float64 // reads that filled the buffer
	blocked  float64 // of the flows' time, sockets full or the relay's windows closed
	rwnd     float64 // of the relay's time with data to send, waiting for the receivers' windows
	late     bool    // the client kept its schedule badly: it sent in bursts

	cpu       float64 // of the relay's CPUs
	thread    float64 // its busiest thread: on a CPU or waiting for one
	threads   int     // that were so busy
	throttled float64 // of the window, by a quota

	dropped map[string]uint64 // by the relay, by reason
	line    []Finding
	strain  bool // the client's strain was measured
	busiest float64
}

func groundsOf(t *Trial) grounds {
	l := t.Load
	nan := math.NaN()
	e := grounds{
		max: l.Offered.IsMax(), missing: t.Missing(), held: nan, waiting: nan, fullRead: nan, blocked: nan, rwnd: nan,
		cpu: nan, thread: nan, throttled: nan, line: lineFull(t), busiest: l.Busiest(),
	}
	e.loss, _ = l.Loss()
	e.late = time.Duration(l.Pacing.P99NS) >= standstill
	for _, h := range l.Hosts {
		e.late = e.late || time.Duration(h.Pacing.P99NS) >= standstill
	}
	if s := l.Strain; s != nil {
		e.strain = true
		e.blocked = math.Max(s.Blocked, portion(float64(s.RwndLimitedNS), float64(l.WindowEndMonoNS-l.WindowBeginMonoNS)*float64(l.Flows)))
		if math.IsNaN(e.blocked) {
			e.blocked = s.Blocked
		}
		e.held = portion(float64(s.DueUnsent), float64(l.UnsentPackets))
		e.waiting, e.fullRead = unread(s)
		for _, h := range l.Hosts { // any host that reads late holds up the whole load
			if s := h.Strain; s != nil {
				waiting, fullRead := unread(s)
				e.waiting, e.fullRead = more(e.waiting, waiting), more(e.fullRead, fullRead)
			}
		}
	}
	r := t.Relay
	if r == nil {
		return e
	}
	if s := r.Sockets; s != nil && s.NA == "" {
		e.rwnd = portion(float64(s.RwndLimitedNS), float64(s.BusyNS))
	}
	if cpus, _ := t.relayCost(); !math.IsNaN(cpus) {
		e.cpu = cpus / t.relayCPUs()
	}
	for _, th := range r.Threads {
		busy := th.CPU
		if th.RunDelay != nil {
			busy += *th.RunDelay
		}
		e.thread = more(e.thread, busy)
		if busy >= relayBusy {
			e.threads++
		}
	}
	if q := r.Throttle; q != nil && q.NA == "" {
		e.throttled = portion(q.Seconds, r.WindowSeconds)
	}
	if r.Counters != nil {
		e.dropped = r.Counters.Dropped
	}
	return e
}

// relayCPUs is how many CPUs the relay can use at most: its set, or of one that says
// how many threads it runs, those.
func (t *Trial) relayCPUs() float64 {
	n := math.Inf(1)
	if set, err := cpu.Parse(t.RelayCPUs); err == nil && !set.IsEmpty() {
		n = float64(set.Size())
	}
	if w := t.Point.Workers; w > 0 {
		n = math.Min(n, float64(w))
	}
	if math.IsInf(n, 1) {
		return 1
	}
	return n
}

// more is the larger of two, of which either may be NaN.
func more(a, b float64) float64 {
	if a >= b || math.IsNaN(b) {
		return a
	}
	return b
}

// portion is part/whole, NaN of nothing.
func portion(part, whole float64) float64 {
	if !(whole > 0) {
		return math.NaN()
	}
	return part / whole
}

// readLate reports whether data lay at the receivers.
func (e *grounds) readLate() bool {
	return leftUnread(e.waiting, e.fullRead) || e.rwnd >= rwndShare
}

// unread is how often data was found waiting at receivers, and how often a read filled
// its buffer.
func unread(s *measure.Strain) (waiting, fullRead float64) {
	return portion(float64(s.QueueWaiting), float64(s.QueueLooks)), portion(float64(s.FullReads), float64(s.Reads))
}

// leftUnread reports whether that is too often for receivers that keep up.
func leftUnread(waiting, fullRead float64) bool {
	return waiting >= waitingShare || fullRead >= fullReads
}

// sentLate reports whether what was not sent waited for the client, and keptBack
// whether it waited for the relay. Neither is said where both had a part in it.
func (e *grounds) sentLate() bool {
	if e.max {
		return e.blocked < freeShare
	}
	return e.held >= clientHeld
}

func (e *grounds) keptBack() bool {
	if e.max {
		return e.blocked >= heldShare
	}
	return !(e.held >= relayHeld) && e.blocked >= blockedShare
}

// relayFull reports whether the relay had used up its CPU time.
func (e *grounds) relayFull() bool {
	return e.cpu >= relayBusy || e.thread >= relayBusy || e.throttled >= throttledShare
}

// relayIdle reports whether it surely had not.
func (e *grounds) relayIdle() bool {
	known := !math.IsNaN(e.cpu) || !math.IsNaN(e.thread)
	return known && !(e.cpu >= relayFree) && !(e.thread >= relayFree) && !(e.throttled >= throttledShare)
}

func (e *grounds) cause() Cause {
	switch {
	case !e.max && e.missing <= CarriedBound:
		return Carried
	case len(e.line) > 0:
		return ByLine
	case !e.strain:
		// A record of before strain was kept: only the busy thread is known, which
		// does not tell whose fault it was.
		return Unclear
	}
	if e.loss >= e.missing/2 && e.loss > CarriedBound {
		return e.ofLoss()
	}
	return e.ofShortfall()
}

// ofLoss is the cause where most of what is missing was dropped on its way. A client
// that sends in bursts overruns queues, and one that reads late fills them.
func (e *grounds) ofLoss() Cause {
	switch late, full := e.readLate() || e.late, e.relayFull(); {
	case late && full:
		return Unclear
	case late:
		return ByClient
	case full:
		return RelayCPU
	case e.relayIdle():
		return SendQueue
	}
	return Unclear
}

// ofShortfall is the cause where most of what is missing was not sent. A relay that
// is slow leaves the senders' sockets full; where they were not, it took all that
// the client sent, however busy it was.
func (e *grounds) ofShortfall() Cause {
	full := e.relayFull()
	switch {
	case e.readLate() && full:
		return Unclear
	case e.readLate(), e.sentLate():
		return ByClient
	case e.late && !full && !(e.blocked >= crowdShare): // what was due comes in one go, and fills the sockets
		return ByClient
	case !e.keptBack():
		return Unclear
	case full:
		return RelayCPU
	case e.relayIdle():
		return BackPressure
	}
	return Unclear
}

// String are the grounds in figures, those that are known.
func (e *grounds) String() string {
	var parts []string
	add := func(format string, v float64) {
		if !math.IsNaN(v) {
			parts = append(parts, fmt.Sprintf(format, percent(v)))
		}
	}
	add("relay CPU %s %%", e.cpu)
	add("its busiest thread %s %%", e.thread)
	if e.throttled > 0 {
		add("held by a CPU quota %s %% of the time", e.throttled)
	}
	if !e.max {
		add("missing %s %%", e.missing)
	}
	add("lost %s %%", e.loss)
	if n := dropList(e.dropped); n != "" {
		parts = append(parts, "dropped "+n)
	}
	add("senders blocked %s %% of the time", e.blocked)
	if e.held > 0 {
		add("%s %% of what was not sent was the client's to send", math.Min(e.held, 1))
	}
	add("data waiting at receivers in %s %% of looks", e.waiting)
	add("relay waited for receivers' windows %s %% of the time", e.rwnd)
	if e.late {
		parts = append(parts, "the client kept its schedule badly")
	}
	for _, f := range e.line {
		parts = append(parts, f.Detail)
	}
	return strings.Join(parts, ", ")
}

// dropList is the relay's drops by reason, the most first.
func dropList(dropped map[string]uint64) string {
	var reasons []string
	for r, n := range dropped {
		if n > 0 {
			reasons = append(reasons, r)
		}
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if d := int64(dropped[b]) - int64(dropped[a]); d != 0 {
			return int(max(-1, min(1, d)))
		}
		return strings.Compare(a, b)
	})
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", dropped[r], r)
	}
	return strings.Join(reasons, ", ")
}

// clientShare is the client's own share of a trial's latency at the 99th
// percentile: how late it sent what nobody held back, and how long arrived data
// waited for it at most. ok is false where it was not measured.
func clientShare(l *measure.Load) (ns int64, ok bool) {
	s := l.Strain
	if s == nil || s.SendLag.Count == 0 && s.ReceiveLag.Count == 0 {
		return 0, false
	}
	return s.SendLag.P99NS + s.ReceiveLag.P99NS, true
}
