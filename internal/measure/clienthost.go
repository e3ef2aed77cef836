package measure

// ClientHost is one host's share of a load that several send together.
type ClientHost struct {
	Agent string `json:"agent"`
	Host  string `json:"host"`
	// Machine tells machines apart: agents on one share its CPUs, whatever the
	// hosts are called.
	Machine string `json:"machine,omitempty"`
	CPUs    string `json:"cpus"` // of its threads

	SendFlows    int `json:"send_flows"`    // that have their sender here
	ReceiveFlows int `json:"receive_flows"` // that have their receiver here

	WindowBeginMonoNS int64 `json:"window_begin_mono_ns"` // of this host's clock

	// Of the flows that are sent and that arrive here, which are not the same.
	SentBps          float64 `json:"sent_bps"`
	DeliveredBps     float64 `json:"delivered_bps"`
	SentPackets      uint64  `json:"sent_packets"`
	DeliveredPackets uint64  `json:"delivered_packets"`

	Busiest  float64   `json:"busiest"` // largest share of the window a thread was on a CPU
	Pacing   Histogram `json:"pacing"`
	Lateness Histogram `json:"lateness"`
	Strain   *Strain   `json:"strain,omitempty"`

	// LimitBps is the rate offered to the whole load at which this host would be at
	// its own limit, by calibration; 0 if there was none.
	LimitBps float64 `json:"limit_bps,omitempty"`

	// What its link carries to the relay and from it, TCP payload bits per second
	// in the line check; 0 if there was none.
	LineToRelayBps   float64 `json:"line_to_relay_bps,omitempty"`
	LineFromRelayBps float64 `json:"line_from_relay_bps,omitempty"`
}

// ClockCheck is a host's clock against the controller's, before a trial and after
// it. Every offset is wrong by its bound at most.
type ClockCheck struct {
	Agent      string `json:"agent"`
	AheadNS    int64  `json:"ahead_ns"` // of the controller's CLOCK_MONOTONIC
	BoundNS    int64  `json:"bound_ns"`
	DriftNS    int64  `json:"drift_ns"`     // how much further it was ahead after the trial
	EndBoundNS int64  `json:"end_bound_ns"` // of the offset after the trial
	ElapsedNS  int64  `json:"elapsed_ns"`   // between the two
}

// MaxClockDrift is how fast two clocks may move apart: each is a crystal's, which
// is off by 50 ppm at most, or steered by NTP, which stays below that.
const MaxClockDrift = 100e-6

// Stepped reports whether the clock moved by more than the bounds of the two
// offsets and a clock's drift explain.
func (c ClockCheck) Stepped() bool {
	allowed := c.BoundNS + c.EndBoundNS + int64(MaxClockDrift*float64(c.ElapsedNS))
	return max(c.DriftNS, -c.DriftNS) > allowed
}
