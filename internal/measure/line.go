package measure

// Line is what the network between the relay's host and the clients' carries: raw
// TCP, nothing of DERP.
type Line struct {
	NA   string    `json:"na,omitempty"` // why it was not measured
	Runs []LineRun `json:"runs,omitempty"`
}

// LineRun is one measurement: between one client and the relay, in one direction.
type LineRun struct {
	Client  string `json:"client"`   // its agent
	ToRelay bool   `json:"to_relay"` // else from the relay to the client
	Streams int    `json:"streams"`
	// Together says that all clients ran at once.
	Together bool    `json:"together,omitempty"`
	NA       string  `json:"na,omitempty"` // why it has no rate
	Bps      float64 `json:"bps"`          // TCP payload that the receiver took
	Seconds  float64 `json:"seconds"`      // over which

	Retransmits uint64 `json:"retransmits"` // segments, all streams
	MSS         int    `json:"mss_bytes"`   // of the sender
	PathMTU     int    `json:"path_mtu_bytes"`
	// MTU of the interface at the sender; 0 if it has none that could be found.
	MTU        int    `json:"interface_mtu_bytes,omitempty"`
	Congestion string `json:"tcp_congestion_control"`
}

// Of is the most a client's link carried in a direction; 0 if it is not known.
func (l *Line) Of(client string, toRelay bool) float64 {
	best := 0.0
	for _, r := range l.Runs {
		if r.Client == client && r.ToRelay == toRelay {
			best = max(best, r.Bps)
		}
	}
	return best
}

// Together is what all clients' links carried at once in a direction; of one
// client the most its link carried, and 0 if it is not known, as where one of them
// has no rate.
func (l *Line) Together(toRelay bool) float64 {
	sum, alone := 0.0, 0.0
	for _, r := range l.Runs {
		switch {
		case r.ToRelay != toRelay:
		case r.Together && r.NA != "":
			return 0
		case r.Together:
			sum += r.Bps
		default:
			alone = max(alone, r.Bps)
		}
	}
	// Of many clients none can carry more than all.
	return max(sum, alone)
}
