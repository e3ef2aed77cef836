package measure

// Strain is the client's own part in what became of a load: what it was late with,
// and what waited for it. A busy client is no fault; a client that packets wait for
// is. All is of the window.
type Strain struct {
	// DueUnsent are the packets by which what was due and unsent grew in the window,
	// although their socket would have taken them: nobody but the client held them. Of
	// a flow's backlog that is the share of the time it lasted in which the flow's
	// socket was not full. None at units.Max, where nothing is due.
	DueUnsent uint64 `json:"due_unsent_packets"`
	// Blocked is the share of the flows' time in which their socket is known to have
	// been full, which is at least how long the client waited for the relay: that a
	// socket has room again is noticed when the client next looks.
	Blocked float64 `json:"blocked_share"`
	// SendLag is how late packets were written that the relay did not hold back:
	// from the intended time, or from when their socket was last known to be full,
	// to the write, ns, a value a packet. Empty at units.Max.
	SendLag Histogram `json:"send_lag"`
	// ReceiveLag is at most how long the oldest data of a read had waited in its
	// socket, ns, a value a read.
	ReceiveLag Histogram `json:"receive_lag"`

	Reads     uint64 `json:"reads"`
	FullReads uint64 `json:"full_reads"` // that filled the buffer: more was waiting

	// Looks at how much waited in a receiver's socket: at the edges of the intervals
	// and at a share of the reads.
	QueueLooks   uint64  `json:"queue_looks"`
	QueueWaiting uint64  `json:"queue_waiting"` // of which found over QueueBound waiting
	QueueMean    float64 `json:"queue_mean_bytes"`

	// Of the senders' sockets, as the kernel has it (tcp_info): time with data to
	// send, and of it the time in which the relay's window, or the socket's own
	// buffer, was what kept it.
	BusyNS          int64 `json:"tcp_busy_ns"`
	RwndLimitedNS   int64 `json:"tcp_rwnd_limited_ns"`
	SndbufLimitedNS int64 `json:"tcp_sndbuf_limited_ns"`
}

// mergeStrains is the strain of the parts together; nil if one has none.
func mergeStrains(parts []LoadPart) (*Strain, error) {
	sum := new(Strain)
	var sendLag, receiveLag []Histogram
	var flows int
	for i := range parts {
		l := parts[i].Load
		s := l.Strain
		if s == nil {
			return nil, nil
		}
		sendLag, receiveLag = append(sendLag, s.SendLag), append(receiveLag, s.ReceiveLag)
		sum.DueUnsent += s.DueUnsent
		sum.Reads += s.Reads
		sum.FullReads += s.FullReads
		sum.QueueLooks += s.QueueLooks
		sum.QueueWaiting += s.QueueWaiting
		sum.BusyNS += s.BusyNS
		sum.RwndLimitedNS += s.RwndLimitedNS
		sum.SndbufLimitedNS += s.SndbufLimitedNS
		sum.Blocked += s.Blocked * float64(l.Flows)
		sum.QueueMean += s.QueueMean * float64(s.QueueLooks)
		flows += l.Flows
	}
	sum.Blocked /= float64(max(flows, 1))
	sum.QueueMean /= float64(max(sum.QueueLooks, 1))
	var err error
	if sum.SendLag, err = MergeHistograms(sendLag...); err != nil {
		return nil, err
	}
	sum.ReceiveLag, err = MergeHistograms(receiveLag...)
	return sum, err
}

// QueueBound is how much may wait in a receiver's socket for a look to find nothing:
// what comes in one burst.
const QueueBound = 64 << 10

// SocketTimes is what the kernel says of a relay's connections over the window
// (tcp_info by sock_diag), all together: whom its data waited for.
type SocketTimes struct {
	Connections     int     `json:"connections"`           // there at both readings: the others are left out
	Seconds         float64 `json:"seconds"`               // between the readings
	BusyNS          int64   `json:"tcp_busy_ns"`           // with data to send
	RwndLimitedNS   int64   `json:"tcp_rwnd_limited_ns"`   // of it, the client's window was full
	SndbufLimitedNS int64   `json:"tcp_sndbuf_limited_ns"` // of it, the relay's own buffer was
	UnreadBytes     int64   `json:"unread_bytes"`          // mean of the two edges: waiting to be read by the relay
	UnsentBytes     int64   `json:"unsent_bytes"`          // mean of the two edges: written by it, and not acknowledged
	NA              string  `json:"na,omitempty"`          // why it is not known
}

// ThreadTime is one thread of the relay over the window.
type ThreadTime struct {
	Name string  `json:"name"`
	CPU  float64 `json:"cpu_share"` // of the window, on a CPU
	// RunDelay is the share of the window in which it was ready and waited for a CPU;
	// nil where the kernel does not tell, and CPU is in ticks of 10 ms.
	RunDelay *float64 `json:"run_delay_share,omitempty"`
}

// Throttle is what a CPU quota took from the relay in the window; of several, that
// which took most.
type Throttle struct {
	// Seconds add up over CPUs: two that stood still for a second are two.
	Seconds float64 `json:"throttled_seconds"`
	Periods uint64  `json:"throttled_periods"`
	NA      string  `json:"na,omitempty"` // why it is not known
}
