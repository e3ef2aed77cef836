package results

import (
	"cmp"
	"math"
	"slices"

	"hdbench/internal/measure"
)

// PointStats is what the runs at one point say together.
//
// They are the valid runs. Where there is none, they are those that have numbers
// at all, so that the table shows what was seen; such a point has Valid 0 and
// makes no ceiling.
type PointStats struct {
	Point  Point
	Runs   int // trials made, failed ones included
	Valid  int
	Failed int
	NA     string // why the point cannot be measured here, if it cannot
	Marks  string // of the codes any run has

	SentBps      Summary
	DeliveredBps Summary
	Shortfall    float64 // of the offered rate; NaN with units.Max
	Loss         float64 // over all packets of all runs
	IntervalCV   float64 // median over the runs

	Latency    measure.Histogram // all runs together
	RTT        measure.Histogram
	Pacing     measure.Histogram // the client's own lateness
	Lateness   measure.Histogram // with back-pressure
	Busiest    float64           // largest share of a window that a client thread was on a CPU
	RelayCPU   Summary           // CPUs in use: 1 is one CPU, all the time
	CPUPerGbit Summary           // CPU-seconds per delivered Gbit
	Counters   CounterStats

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

func describe(p Point, ts []*Trial) (*PointStats, error) {
	s := &PointStats{Point: p, Runs: len(ts)}
	seen := map[Code]bool{}
	var use []*Trial
	for _, t := range ts {
		for _, f := range t.Validity {
			seen[f.Code] = true
		}
		switch {
		case t.NA != "":
			s.NA = t.NA
		case !t.OK():
			s.Failed++
		case t.Valid():
			s.Valid++
			use = append(use, t)
		}
	}
	if s.Valid == 0 {
		use = slices.DeleteFunc(slices.Clone(ts), func(t *Trial) bool { return !t.OK() })
	}
	s.Marks = marks(seen)

	var sent, delivered, shortfall, intervalCV, cpu, perGbit []float64
	var latency, rtt, pacing, lateness []measure.Histogram
	var packets, arrived uint64
	for _, t := range use {
		l := t.Load
		sent = append(sent, l.SentBps)
		delivered = append(delivered, l.DeliveredBps)
		if f, ok := l.Shortfall(); ok {
			shortfall = append(shortfall, f)
		}
		intervalCV = append(intervalCV, IntervalCV(l.IntervalDeliveredBps))
		packets, arrived = packets+l.SentPackets, arrived+l.DeliveredPackets
		latency, rtt = append(latency, l.Latency), append(rtt, l.RTT)
		pacing, lateness = append(pacing, l.Pacing), append(lateness, l.Lateness)
		s.Busiest = max(s.Busiest, l.Busiest())
		if c, g := t.relayCost(); !math.IsNaN(c) {
			cpu = append(cpu, c)
			if !math.IsNaN(g) {
				perGbit = append(perGbit, g)
			}
		}
	}
	var err error
	if s.Hosts, err = hostStats(use); err != nil {
		return nil, err
	}
	s.SentBps, s.DeliveredBps = Summarize(sent), Summarize(delivered)
	s.Counters = counters(use)
	s.RelayCPU, s.CPUPerGbit = Summarize(cpu), Summarize(perGbit)
	s.Shortfall, s.IntervalCV, s.Loss = Summarize(shortfall).Mean, median(intervalCV), math.NaN()
	if packets > 0 {
		s.Loss = 1 - float64(arrived)/float64(packets)
	}
	for _, h := range []struct {
		to   *measure.Histogram
		from []measure.Histogram
	}{{&s.Latency, latency}, {&s.RTT, rtt}, {&s.Pacing, pacing}, {&s.Lateness, lateness}} {
		if *h.to, err = measure.MergeHistograms(h.from...); err != nil {
			return nil, err
		}
	}
	return s, nil
}
