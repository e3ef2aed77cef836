package measure

import (
	"errors"
	"fmt"
)

// FlowWindow is which packets of a flow its sender sent inside the window: those
// with sequence numbers from First up to but not including End.
type FlowWindow struct {
	Flow  uint32 `json:"flow"`
	First uint64 `json:"first"`
	End   uint64 `json:"end"`
}

// LoadPart is what one host measured of a load that several sent together, and
// which host that is.
type LoadPart struct {
	Host ClientHost // its name, CPUs, clock and limits; the rest is filled in
	Load *Load
}

// MergeLoads makes one load of its parts. Packets and rates add up, interval by
// interval since the windows are aligned; histograms are merged value by value.
// Times are the first part's.
func MergeLoads(parts []LoadPart) (*Load, error) {
	if len(parts) == 0 {
		return nil, errors.New("merge loads: no parts")
	}
	first := parts[0].Load
	sum := &Load{
		StartMonoNS: first.StartMonoNS, WindowBeginMonoNS: first.WindowBeginMonoNS, WindowEndMonoNS: first.WindowEndMonoNS,
		PayloadBytes: first.PayloadBytes, Offered: first.Offered, IntervalNS: first.IntervalNS,
		IntervalSentBps:      make([]float64, len(first.IntervalSentBps)),
		IntervalDeliveredBps: make([]float64, len(first.IntervalDeliveredBps)),
	}
	var latency, rtt, lateness, pacing []Histogram
	for i := range parts {
		l := parts[i].Load
		if err := sum.add(l); err != nil {
			return nil, fmt.Errorf("merge loads: part of %s: %w", parts[i].Host.Agent, err)
		}
		latency, rtt = append(latency, l.Latency), append(rtt, l.RTT)
		lateness, pacing = append(lateness, l.Lateness), append(pacing, l.Pacing)
		for _, t := range l.Threads {
			t.Host = parts[i].Host.Agent
			sum.Threads = append(sum.Threads, t)
		}
		h := parts[i].Host
		h.SentBps, h.DeliveredBps, h.SentPackets, h.DeliveredPackets = l.SentBps, l.DeliveredBps, l.SentPackets, l.DeliveredPackets
		h.WindowBeginMonoNS = l.WindowBeginMonoNS
		h.Busiest, h.Pacing, h.Lateness, h.Strain = l.Busiest(), l.Pacing, l.Lateness, l.Strain
		sum.Hosts = append(sum.Hosts, h)
	}
	sum.CountUnsent(sum.Flows)
	for _, h := range []struct {
		to   *Histogram
		from []Histogram
	}{{&sum.Latency, latency}, {&sum.RTT, rtt}, {&sum.Lateness, lateness}, {&sum.Pacing, pacing}} {
		var err error
		if *h.to, err = MergeHistograms(h.from...); err != nil {
			return nil, err
		}
	}
	var err error
	if sum.Strain, err = mergeStrains(parts); err != nil {
		return nil, err
	}
	return sum, nil
}

// add adds another part's counts and rates.
func (l *Load) add(p *Load) error {
	switch {
	case p.PayloadBytes != l.PayloadBytes || p.IntervalNS != l.IntervalNS || p.WindowEndMonoNS-p.WindowBeginMonoNS != l.WindowEndMonoNS-l.WindowBeginMonoNS ||
		len(p.IntervalSentBps) != len(l.IntervalSentBps) || len(p.IntervalDeliveredBps) != len(l.IntervalDeliveredBps):
		return errors.New("it is of another load or window")
	case p.ServerKey != "" && l.ServerKey != "" && p.ServerKey != l.ServerKey:
		return fmt.Errorf("it reached another relay: key %s, not %s", p.ServerKey, l.ServerKey)
	}
	if l.ServerKey == "" {
		l.ServerKey = p.ServerKey
	}
	if l.NoLatency == "" {
		l.NoLatency = p.NoLatency
	}
	l.Flows += p.Flows
	l.SentBps += p.SentBps
	l.DeliveredBps += p.DeliveredBps
	l.SentPackets += p.SentPackets
	l.DeliveredPackets += p.DeliveredPackets
	l.TotalSent += p.TotalSent
	l.TotalDelivered += p.TotalDelivered
	l.Duplicate += p.Duplicate
	l.Reordered += p.Reordered
	l.Corrupt += p.Corrupt
	l.Foreign += p.Foreign
	l.Undrained += p.Undrained
	l.Skewed += p.Skewed
	l.EchoesLost += p.EchoesLost
	l.EchoesReturned += p.EchoesReturned
	l.FramesSent += p.FramesSent
	l.FramesReceived += p.FramesReceived
	for i, v := range p.IntervalSentBps {
		l.IntervalSentBps[i] += v
	}
	for i, v := range p.IntervalDeliveredBps {
		l.IntervalDeliveredBps[i] += v
	}
	if p.TLS != nil {
		if l.TLS == nil {
			l.TLS = &TLS{Transport: p.TLS.Transport, FramesPerRecord: p.TLS.FramesPerRecord}
		}
		l.TLS.add(p.TLS)
	}
	return nil
}

func (t *TLS) add(p *TLS) {
	if t.Suite == "" { // a part without peers has none
		t.Suite = p.Suite
	}
	t.RecordsSent += p.RecordsSent
	t.BytesSent += p.BytesSent
	t.RecordsReceived += p.RecordsReceived
	t.BytesReceived += p.BytesReceived
}
