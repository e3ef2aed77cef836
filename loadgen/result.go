package loadgen

import (
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"hdbench/internal/derp"
	"hdbench/internal/measure"
)

// ErrStarved means that something else had a thread's CPU for as long as the
// window is open: nothing was measured.
var ErrStarved = errors.New("a thread of the load did not run inside the measuring window: its host is too busy, or the window too short")

// result merges the threads, which have ended.
func (s *Session) result(tl *timeline) (*measure.Load, error) {
	c := &s.cfg
	r := &measure.Load{
		StartMonoNS: tl.start, WindowBeginMonoNS: tl.begin, WindowEndMonoNS: tl.end,
		Flows: s.sent(), PayloadBytes: c.Payload, Offered: c.Rate,
		Undrained: s.undrained.Load(), IntervalNS: int64(IntervalLen),
	}
	if !c.Direct && s.serverKey != (derp.Key{}) { // a part without peers has met no relay
		r.ServerKey = s.serverKey.String()
	}
	if !s.oneClock {
		r.NoLatency = "sender and receiver are on hosts with clocks of their own"
	}
	latency, rtt, lateness, pacing := newHistogram(), newHistogram(), newHistogram(), newHistogram()
	var ms []*marks
	for _, t := range s.threads {
		if t.marks.missed() {
			return nil, fmt.Errorf("%w: that of CPU %s", ErrStarved, t.cpu)
		}
		r.Corrupt += t.rec.corrupt
		r.Foreign += t.rec.foreign
		r.Skewed += t.rec.skewed
		r.EchoesLost += t.rec.echoesLost
		r.FramesSent += t.rec.framesSent
		r.FramesReceived += t.rec.framesRecv
		r.SentBps += 8 * t.marks.rate(sentBytes)
		r.DeliveredBps += 8 * t.marks.rate(deliveredBytes)
		latency.Merge(t.rec.latency)
		rtt.Merge(t.rec.rtt)
		lateness.Merge(t.rec.lateness)
		pacing.Merge(t.rec.pacing)
		ms = append(ms, t.marks)
		r.Threads = append(r.Threads, measure.Thread{CPU: t.cpu.String(), Role: t.role(), Busy: t.marks.busy()})
	}
	r.TLS = s.tls()
	for _, f := range s.flows {
		if h := f.send; h != nil {
			r.SentPackets += h.windowEnd - h.windowFirst
			r.TotalSent += h.accepted
			r.EchoesReturned += h.echoes.unique
			if f.recv != nil {
				f.recv.windowFirst, f.recv.windowEnd = h.windowFirst, h.windowEnd
			}
		}
		if h := f.recv; h != nil {
			r.DeliveredPackets += h.arrived.count(h.windowFirst, h.windowEnd)
			r.TotalDelivered += h.arrived.unique
			r.Duplicate += h.arrived.duplicate
			r.Reordered += h.arrived.reordered
		}
	}
	r.CountUnsent(len(s.flows))
	r.IntervalSentBps = inBits(intervalRates(ms, sentBytes))
	r.IntervalDeliveredBps = inBits(intervalRates(ms, deliveredBytes))
	var err error
	if r.Strain, err = s.strain(tl); err != nil {
		return nil, err
	}
	for _, h := range []struct {
		to   *measure.Histogram
		from *hdrhistogram.Histogram
	}{{&r.Latency, latency}, {&r.RTT, rtt}, {&r.Lateness, lateness}, {&r.Pacing, pacing}} {
		if *h.to, err = measure.FromHDR(h.from); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// tls is what the connections' records were; nil without TLS.
func (s *Session) tls() *measure.TLS {
	if !s.cfg.Transport.Encrypted() {
		return nil
	}
	r := &measure.TLS{Transport: string(s.cfg.Transport), FramesPerRecord: s.cfg.FramesPerRecord}
	for _, t := range s.threads {
		r.RecordsSent += t.io.Records.Out
		r.BytesSent += t.io.Records.OutBytes
		r.RecordsReceived += t.io.Records.In
		r.BytesReceived += t.io.Records.InBytes
		for _, p := range t.peers {
			r.Suite = p.suite
		}
	}
	return r
}

func sentBytes(m mark) uint64      { return m.sent }
func deliveredBytes(m mark) uint64 { return m.delivered }

func inBits(bytes []float64) []float64 {
	for i := range bytes {
		bytes[i] *= 8
	}
	return bytes
}

func (t *thread) role() string {
	switch {
	case t.sending && t.receiving:
		return "both"
	case t.sending:
		return "send"
	case t.receiving:
		return "receive"
	default:
		return "idle"
	}
}
