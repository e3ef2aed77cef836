// Package scenarios is what to run: scenario files, the matrix of points they
// expand to, and the runner that measures it.
//
// A scenario file goes in. What it leaves open (CPU sets, worker counts, offered
// rates) is fitted to the hosts, written down, and from then on fixed: the
// resolved scenario, the seed of the order and every trial's record go into a
// results folder, from which a sweep can be resumed. The flow is one-directional:
// scenario, points, trials, records; what is made of the records is package
// results' business.
package scenarios

import (
	"time"

	"hdbench/internal/units"
)

// Scenario is a scenario file.
type Scenario struct {
	Name      string
	About     string
	Warmup    time.Duration
	Measure   time.Duration
	Drain     time.Duration
	Runs      Runs
	Seed      uint64     // of the order and the peers' keys; 0: a new one each sweep
	CompareAt units.Rate // offered rate of the cost comparison; 0: chosen from the data
	Profile   bool       // sample every configuration once, at one of its rates
	CPUs      CPUs
	Load      LoadAxes
	Relays    []RelayAxes
	Resolved  *Resolved // nil in a file that people write
}

// CPUs are the CPU lists of the two sides; empty is auto.
type CPUs struct{ Relay, Client string }

// LoadAxes are the loads of a scenario: every combination is run.
type LoadAxes struct {
	Pattern    []string
	Pairs      []int
	Payload    []units.Bytes
	Burst      []string
	Tick       []time.Duration
	RTT        bool
	Congestion string
	Rate       []Rate
	Search     *Search // nil: none

	// Where the relay's transport is TLS: the client's own (empty or "auto": the
	// default, see results.Config.ClientSide), and how many frames its records
	// carry.
	ClientTransport []string
	FramesPerRecord []int
}

// RelayAxes is one entry under relays: every combination of transport, workers
// and settings is run.
type RelayAxes struct {
	Line      int // in the file, for messages
	Relay     string
	Version   string
	Command   string
	Transport []string
	Workers   []int // empty: auto

	OnFull       []string
	Moderation   []time.Duration
	QueuePackets int
	QueueBytes   units.Bytes
	SocketBuffer []units.Bytes // -1: the system's
	Congestion   string
}

// Rate is an offered rate of a scenario: fixed, or found by a climb.
type Rate struct {
	Fixed   units.Rate
	Percent float64 // of what the configuration itself carries
	Auto    bool    // several, that show the configuration's flat part and its knee, and meet the others of its load
}

// String is the rate as it is written in a file.
func (r Rate) String() string {
	switch {
	case r.Auto:
		return "auto"
	case r.Percent > 0:
		return formatPercent(r.Percent)
	default:
		return r.Fixed.String()
	}
}

// needsKnee reports whether some rate has to be found.
func (l LoadAxes) needsKnee() bool {
	if l.Search != nil && l.Search.Max == 0 {
		return true
	}
	for _, r := range l.Rate {
		if r.Auto || r.Percent > 0 {
			return true
		}
	}
	return false
}

// Bounds of what a scenario may ask for.
const (
	maxRuns   = 1000
	maxPoints = 10_000
)
