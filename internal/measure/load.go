// Package measure is the shape of what was measured: what the load generator
// and the relay's host hand up after a trial, and what results keep of it.
//
// It holds data and the arithmetic that belongs to it (merging histograms), and
// nothing that measures. Names carry their units; packets are data packets and
// rates are payload bits per second over the window, unless said otherwise.
package measure

import (
	"slices"

	"hdbench/internal/units"
)

// Load is what one run of a load measured.
type Load struct {
	StartMonoNS       int64 `json:"start_mono_ns"` // CLOCK_MONOTONIC of the client's host
	WindowBeginMonoNS int64 `json:"window_begin_mono_ns"`
	WindowEndMonoNS   int64 `json:"window_end_mono_ns"`

	Flows        int        `json:"flows"`
	PayloadBytes int        `json:"payload_bytes"`
	Offered      units.Rate `json:"offered"`
	ServerKey    string     `json:"server_key,omitempty"`

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

	IntervalNS           int64     `json:"interval_ns"`
	IntervalSentBps      []float64 `json:"interval_sent_bps"`
	IntervalDeliveredBps []float64 `json:"interval_delivered_bps"`

	Latency  Histogram `json:"latency"`  // intended time to arrival; empty with NoLatency
	RTT      Histogram `json:"rtt"`      // intended time to return; empty unless asked for
	Lateness Histogram `json:"lateness"` // intended time to write: what back-pressure and pacing cost
	Pacing   Histogram `json:"pacing"`   // tick to its handling: the client's own lateness

	NoLatency string `json:"no_latency,omitempty"` // why one-way latency was not measured; empty if it was

	Threads []Thread `json:"threads"`

	Strain *Strain `json:"strain,omitempty"` // nil in records of before it was kept

	Hosts []ClientHost `json:"hosts,omitempty"` // of a load that several hosts sent; nil with one

	TLS *TLS `json:"tls,omitempty"` // nil without TLS
}

// TLS is what the client's connections were made of, if they were TLS. Records
// are data records, over the whole run; of records that the kernel seals only
// their bytes are known, and the counts are 0.
type TLS struct {
	Transport       string `json:"transport"` // the client's own: tls or ktls
	Suite           string `json:"suite"`
	FramesPerRecord int    `json:"frames_per_record"` // asked for, of what the client sends
	RecordsSent     uint64 `json:"records_sent"`
	BytesSent       uint64 `json:"bytes_sent"` // carried by records
	RecordsReceived uint64 `json:"records_received"`
	BytesReceived   uint64 `json:"bytes_received"`
}

// Thread is one thread of the load generator.
type Thread struct {
	Host string  `json:"host,omitempty"` // its agent, where several hosts sent the load
	CPU  string  `json:"cpu"`
	Role string  `json:"role"` // send, receive, both, idle
	Busy float64 `json:"busy"` // share of the window it was on a CPU
}

// Loss is the share of the packets sent inside the window that never arrived, 0
// to 1; ok is false if none was sent.
func (l *Load) Loss() (loss float64, ok bool) {
	if l.SentPackets == 0 {
		return 0, false
	}
	return 1 - float64(l.DeliveredPackets)/float64(l.SentPackets), true
}

// Shortfall is the share of the offered rate that was not sent, 0 to 1; ok is
// false where the offered rate was units.Max.
func (l *Load) Shortfall() (shortfall float64, ok bool) {
	if l.Offered.IsMax() || l.Offered <= 0 {
		return 0, false
	}
	return max(0, 1-l.SentBps/float64(l.Offered)), true
}

// CountUnsent works out what was due inside the window and not sent in it. The
// flows of l are so many of those that share the offered rate.
func (l *Load) CountUnsent(of int) {
	l.UnsentPackets = 0
	if l.Offered.IsMax() || of == 0 {
		return
	}
	seconds := float64(l.WindowEndMonoNS-l.WindowBeginMonoNS) / 1e9
	due := float64(l.Offered) / 8 / float64(l.PayloadBytes) * seconds * float64(l.Flows) / float64(of)
	if due := uint64(due); due > l.SentPackets {
		l.UnsentPackets = due - l.SentPackets
	}
}

// Busiest is the largest share of the window that a thread was on a CPU.
func (l *Load) Busiest() float64 {
	busy := 0.0
	for _, t := range l.Threads {
		busy = max(busy, t.Busy)
	}
	return busy
}

// CPULoad is how busy the threads on one CPU were together, where agents of a load
// share it.
type CPULoad struct {
	CPU, Host string
	Agents    []string
	Busy      float64 // share of the window, over the threads of all agents
}

// SharedCPUs are the CPUs on which several agents had threads.
func (l *Load) SharedCPUs() []CPULoad {
	host := map[string]*ClientHost{}
	for i := range l.Hosts {
		host[l.Hosts[i].Agent] = &l.Hosts[i]
	}
	type place struct{ machine, cpu string }
	at := map[place]int{}
	var loads []CPULoad
	for _, t := range l.Threads {
		h := host[t.Host]
		if h == nil || h.Machine == "" {
			continue
		}
		k := place{h.Machine, t.CPU}
		i, ok := at[k]
		if !ok {
			i = len(loads)
			at[k], loads = i, append(loads, CPULoad{CPU: t.CPU, Host: h.Host})
		}
		loads[i].Busy += t.Busy
		if !slices.Contains(loads[i].Agents, t.Host) {
			loads[i].Agents = append(loads[i].Agents, t.Host)
		}
	}
	return slices.DeleteFunc(loads, func(c CPULoad) bool { return len(c.Agents) < 2 })
}
