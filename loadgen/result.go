package loadgen

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"hdbench/internal/derp"
	"hdbench/internal/units"
)

// Result is what one run measured. Packets are data packets unless said
// otherwise; rates are payload bits per second over the window.
type Result struct {
	Start       int64 `json:"start_mono_ns"`
	WindowBegin int64 `json:"window_begin_mono_ns"`
	WindowEnd   int64 `json:"window_end_mono_ns"`

	Flows     int        `json:"flows"`
	Payload   int        `json:"payload_bytes"`
	Offered   units.Rate `json:"offered"`
	ServerKey derp.Key   `json:"server_key"`

	SentBps      float64 `json:"sent_bps"`      // left the senders' sockets inside the window
	DeliveredBps float64 `json:"delivered_bps"` // reached the receivers inside the window

	SentPackets      uint64 `json:"sent_packets"`      // sent inside the window
	DeliveredPackets uint64 `json:"delivered_packets"` // of these, how many arrived, by sequence number, after the drain
	UnsentPackets    uint64 `json:"unsent_packets"`    // due inside the window and not sent in it

	// Over the whole run, warm-up and drain included.
	TotalSent      uint64 `json:"total_sent_packets"`
	TotalDelivered uint64 `json:"total_delivered_packets"` // unique
	Duplicate      uint64 `json:"duplicate_packets"`
	Reordered      uint64 `json:"reordered_packets"`
	Corrupt        uint64 `json:"corrupt_packets"`
	Foreign        uint64 `json:"foreign_packets"` // of another run, or not for this peer
	Undrained      int64  `json:"undrained_flows"` // of which the end never came
	Skewed         uint64 `json:"skewed_packets"`  // that arrived before they were to leave
	EchoesLost     uint64 `json:"echoes_lost"`     // not returned for want of room
	EchoesReturned uint64 `json:"echoes_returned"` // that reached their sender
	FramesSent     uint64 `json:"frames_sent"`     // packets of every kind: what the relay should have received
	FramesReceived uint64 `json:"frames_received"` // and forwarded

	IntervalNS        int64     `json:"interval_ns"`
	IntervalSent      []float64 `json:"interval_sent_bps"`
	IntervalDelivered []float64 `json:"interval_delivered_bps"`

	Latency  Histogram `json:"latency"`  // intended time to arrival
	RTT      Histogram `json:"rtt"`      // intended time to return; only with RTT
	Lateness Histogram `json:"lateness"` // intended time to write: what back-pressure and pacing cost
	Pacing   Histogram `json:"pacing"`   // tick to its handling: the client's own lateness

	Threads []ThreadResult `json:"threads"`
}

// ThreadResult is one thread's share.
type ThreadResult struct {
	CPU  string  `json:"cpu"`
	Role string  `json:"role"` // send, receive, both, idle
	Busy float64 `json:"busy"` // share of the window on a CPU
}

// Histogram is an HDR histogram of nanoseconds, in the log's compressed form so
// that histograms of several hosts merge exactly, with the usual percentiles
// beside it for readers of the JSON.
type Histogram struct {
	Count   int64  `json:"count"`
	P50     int64  `json:"p50_ns"`
	P99     int64  `json:"p99_ns"`
	P999    int64  `json:"p999_ns"`
	Max     int64  `json:"max_ns"`
	Encoded string `json:"hdr,omitempty"` // HdrHistogram V2, zlib, base64
}

func summarize(h *hdrhistogram.Histogram) (Histogram, error) {
	s := Histogram{Count: h.TotalCount()}
	if s.Count == 0 {
		return s, nil
	}
	s.P50, s.P99, s.P999, s.Max = h.ValueAtQuantile(50), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max()
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return s, fmt.Errorf("encode histogram: %w", err)
	}
	s.Encoded = string(b)
	return s, nil
}

// Loss is the share of the packets sent inside the window that never arrived.
func (r *Result) Loss() float64 {
	if r.SentPackets == 0 {
		return 0
	}
	return 1 - float64(r.DeliveredPackets)/float64(r.SentPackets)
}

// result merges the threads, which have ended.
func (s *Session) result(tl *timeline) (*Result, error) {
	c := &s.cfg
	r := &Result{
		Start: tl.start, WindowBegin: tl.begin, WindowEnd: tl.end,
		Flows: len(s.flows), Payload: c.Payload, Offered: c.Rate, ServerKey: s.serverKey,
		Undrained: s.undrained.Load(), IntervalNS: int64(IntervalLen),
	}
	latency, rtt, lateness, pacing := newHistogram(), newHistogram(), newHistogram(), newHistogram()
	var ms []*marks
	for _, t := range s.threads {
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
		r.Threads = append(r.Threads, ThreadResult{CPU: t.cpu.String(), Role: t.role(), Busy: t.marks.busy()})
	}
	for _, f := range s.flows {
		h := f.send
		r.SentPackets += h.windowEnd - h.windowFirst
		r.DeliveredPackets += f.recv.arrived.count(h.windowFirst, h.windowEnd)
		r.TotalSent += h.accepted
		r.TotalDelivered += f.recv.arrived.unique
		r.Duplicate += f.recv.arrived.duplicate
		r.Reordered += f.recv.arrived.reordered
		r.EchoesReturned += h.echoes.unique
	}
	if !c.Rate.IsMax() {
		if due := uint64(c.pps() * c.Measure.Seconds()); due > r.SentPackets {
			r.UnsentPackets = due - r.SentPackets
		}
	}
	r.IntervalSent = inBits(intervalRates(ms, sentBytes))
	r.IntervalDelivered = inBits(intervalRates(ms, deliveredBytes))
	for _, h := range []struct {
		to   *Histogram
		from *hdrhistogram.Histogram
	}{{&r.Latency, latency}, {&r.RTT, rtt}, {&r.Lateness, lateness}, {&r.Pacing, pacing}} {
		var err error
		if *h.to, err = summarize(h.from); err != nil {
			return nil, err
		}
	}
	return r, nil
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
