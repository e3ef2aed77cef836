package results

import (
	"cmp"
	"math"
	"slices"

	"hdbench/internal/measure"
	"hdbench/results/stat"
)

// PointStats is what the runs at one point say together.
//
// Each quantity is of the runs that can be trusted with it. A run in which the
// client or the line held something back counts for the throughput, too: what it
// delivered is a lower bound, and to leave it out would keep only the runs that went
// well. Where no run counts, the throughput is of those that have numbers at all, so
// that the table shows what was seen; such a point has Valid 0 and makes no ceiling.
type PointStats struct {
	Point  Point
	Runs   int // trials made, failed ones included
	Valid  int // whose throughput counts
	Bounds int // of these, whose throughput is a lower bound only
	Failed int
	NA     string // why the point cannot be measured here, if it cannot
	Marks  string // of the codes any run has

	Missing float64 // of the offered rate, by shortfall and loss; mean over the runs
	Carried int     // runs that carried the rate
	Causes  map[Cause]int

	LatencyRuns int // runs whose latency can be trusted; 0: it is of all that count, and cannot
	CostRuns    int // the same of CPU time and counters

	SentBps      stat.Summary
	DeliveredBps stat.Summary
	Shortfall    float64 // of the offered rate; NaN with units.Max
	Loss         float64 // over all packets of all runs
	IntervalCV   float64 // median over the runs

	Latency    measure.Histogram // all runs together
	RTT        measure.Histogram
	Pacing     measure.Histogram // the client's own lateness
	ClientP99  int64             // the client's own share of the latency's p99, ns; median of the runs, -1: not measured
	P99        stat.Summary      // of the runs' own 99th percentiles, ns
	Lateness   measure.Histogram // with back-pressure
	Busiest    float64           // largest share of a window that a client thread was on a CPU
	RelayCPU   stat.Summary      // CPUs in use: 1 is one CPU, all the time
	CPUPerGbit stat.Summary      // CPU-seconds per delivered Gbit
	Counters   CounterStats

	counted []*Trial // whose throughput counts

	Hosts []*HostStats // each client host's share; nil where there was one
}

// latency is what the point's load measures: one way, or round trips.
func (p *PointStats) latency() measure.Histogram {
	if p.Point.Load.RTT {
		return p.RTT
	}
	return p.Latency
}

// Points groups the trials and describes each point, configurations in the order
// in which they are first met by scenario order, rates ascending.
func Points(trials []*Trial) ([]*PointStats, error) {
	groups := map[Point][]*Trial{}
	for _, t := range trials {
		if t.Kind == KindTrial {
			groups[t.Point] = append(groups[t.Point], t)
		}
	}
	points := make([]*PointStats, 0, len(groups))
	for p, ts := range groups {
		slices.SortStableFunc(ts, func(a, b *Trial) int { return cmp.Compare(a.Run, b.Run) })
		s, err := describe(p, ts)
		if err != nil {
			return nil, err
		}
		points = append(points, s)
	}
	slices.SortFunc(points, func(a, b *PointStats) int {
		return cmp.Or(compareConfig(a.Point.Config, b.Point.Config), cmp.Compare(a.Point.Offered, b.Point.Offered))
	})
	return points, nil
}

// compareConfig orders configurations for reading: by load, then hd before
// derper before strangers, then transport, workers and settings.
func compareConfig(a, b Config) int {
	rank := func(relay string) int {
		return slices.Index([]string{RelayHD, RelayDerper, relay}, relay)
	}
	transport := func(t string) int {
		return slices.Index([]string{"tcp", "tls", "ktls", t}, t)
	}
	return cmp.Or(
		cmp.Compare(a.Load.Pattern, b.Load.Pattern), cmp.Compare(a.Load.Pairs, b.Load.Pairs),
		cmp.Compare(a.Load.PayloadBytes, b.Load.PayloadBytes), compareBurst(a.Load.Burst, b.Load.Burst),
		cmp.Compare(a.Load.TickNS, b.Load.TickNS), cmp.Compare(a.Load.Congestion, b.Load.Congestion),
		cmp.Compare(rank(a.Relay), rank(b.Relay)), cmp.Compare(a.Relay, b.Relay), cmp.Compare(a.Version, b.Version),
		cmp.Compare(transport(a.Transport), transport(b.Transport)), cmp.Compare(a.Workers, b.Workers),
		cmp.Compare(a.OnFull, b.OnFull), cmp.Compare(a.ModerationNS, b.ModerationNS),
		cmp.Compare(a.SocketBuffer, b.SocketBuffer), cmp.Compare(a.QueuePackets, b.QueuePackets),
		cmp.Compare(a.QueueBytes, b.QueueBytes), cmp.Compare(a.Congestion, b.Congestion),
		cmp.Compare(a.ClientTransport, b.ClientTransport), cmp.Compare(a.FramesPerRecord, b.FramesPerRecord),
	)
}

// compareBurst puts small bursts before large ones: frames, tick, bytes.
func compareBurst(a, b string) int {
	rank := func(s string) int {
		switch {
		case s == "tick":
			return 1
		case len(s) > 0 && s[len(s)-1] == 'B':
			return 2
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// AtLeast reports whether the point's throughput is a lower bound: most of the runs
// that count are.
func (p *PointStats) AtLeast() bool { return 2*p.Bounds > p.Valid }

// WasCarried reports whether most of the runs that count carried the rate.
func (p *PointStats) WasCarried() bool { return p.Valid > 0 && 2*p.Carried > p.Valid }

func describe(p Point, ts []*Trial) (*PointStats, error) {
	s := &PointStats{Point: p, Runs: len(ts), Causes: map[Cause]int{}}
	seen := map[Code]bool{}
	var numbers, use []*Trial
	for _, t := range ts {
		for _, f := range t.Validity {
			seen[f.Code] = true
		}
		switch {
		case t.NA != "":
			s.NA = t.NA
		case !t.OK():
			s.Failed++
		default:
			numbers = append(numbers, t)
			if !t.Counts() {
				continue
			}
			use = append(use, t)
			s.Valid++
			if t.Bound() {
				s.Bounds++
			}
			c := CauseOf(t)
			s.Causes[c]++
			if c == Carried {
				s.Carried++
			}
		}
	}
	s.counted = use
	if s.Valid == 0 {
		use = numbers
	}
	s.Marks = marks(seen)
	if err := s.throughput(use); err != nil {
		return nil, err
	}
	timed := trusting(use, Latency)
	s.LatencyRuns = len(timed)
	if len(timed) == 0 {
		timed = use
	}
	if err := s.latencies(timed); err != nil {
		return nil, err
	}
	paid := trusting(use, Cost)
	s.CostRuns = len(paid)
	if len(paid) == 0 {
		paid = use
	}
	s.cost(paid)
	return s, nil
}

// trusting are the trials that can be trusted with a quantity.
func trusting(ts []*Trial, q Quantity) []*Trial {
	return slices.DeleteFunc(slices.Clone(ts), func(t *Trial) bool { return !t.Trusts(q) })
}

// throughput fills in what was sent and what arrived.
func (s *PointStats) throughput(use []*Trial) error {
	var sent, delivered, shortfall, intervalCV, missing []float64
	var pacing, lateness []measure.Histogram
	var packets, arrived uint64
	for _, t := range use {
		l := t.Load
		sent = append(sent, l.SentBps)
		delivered = append(delivered, l.DeliveredBps)
		missing = append(missing, t.Missing())
		if f, ok := l.Shortfall(); ok {
			shortfall = append(shortfall, f)
		}
		intervalCV = append(intervalCV, stat.IntervalCV(l.IntervalDeliveredBps))
		packets, arrived = packets+l.SentPackets, arrived+l.DeliveredPackets
		pacing, lateness = append(pacing, l.Pacing), append(lateness, l.Lateness)
		s.Busiest = max(s.Busiest, l.Busiest())
	}
	var err error
	if s.Hosts, err = hostStats(use); err != nil {
		return err
	}
	s.SentBps, s.DeliveredBps = stat.Summarize(sent), stat.Summarize(delivered)
	s.Missing, s.Shortfall = stat.Summarize(missing).Mean, stat.Summarize(shortfall).Mean
	s.IntervalCV, s.Loss = stat.Median(intervalCV), math.NaN()
	if packets > 0 {
		s.Loss = 1 - float64(arrived)/float64(packets)
	}
	if s.Pacing, err = measure.MergeHistograms(pacing...); err != nil {
		return err
	}
	s.Lateness, err = measure.MergeHistograms(lateness...)
	return err
}

// latencies fills in what packets waited.
func (s *PointStats) latencies(use []*Trial) error {
	var latency, rtt []measure.Histogram
	var p99, own []float64
	for _, t := range use {
		latency, rtt = append(latency, t.Load.Latency), append(rtt, t.Load.RTT)
		if h := t.latency(); h.Count > 0 {
			p99 = append(p99, float64(h.P99NS))
		}
		if ns, ok := clientShare(t.Load); ok {
			own = append(own, float64(ns))
		}
	}
	s.P99, s.ClientP99 = stat.Summarize(p99), -1
	if len(own) > 0 {
		s.ClientP99 = int64(stat.Median(own))
	}
	var err error
	if s.Latency, err = measure.MergeHistograms(latency...); err != nil {
		return err
	}
	s.RTT, err = measure.MergeHistograms(rtt...)
	return err
}

// cost fills in what the relay used.
func (s *PointStats) cost(use []*Trial) {
	var cpu, perGbit []float64
	for _, t := range use {
		c, g := t.relayCost()
		if math.IsNaN(c) {
			continue
		}
		cpu = append(cpu, c)
		if !math.IsNaN(g) {
			perGbit = append(perGbit, g)
		}
	}
	s.Counters = counters(use)
	s.RelayCPU, s.CPUPerGbit = stat.Summarize(cpu), stat.Summarize(perGbit)
}
