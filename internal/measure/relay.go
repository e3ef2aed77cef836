package measure

// Relay is what the relay's host measured in a trial.
type Relay struct {
	Version    string   `json:"version"`
	Command    []string `json:"command"` // as started
	Env        []string `json:"env,omitempty"`
	CPUs       string   `json:"cpus"` // the CPU set it ran on
	GOMAXPROCS int      `json:"gomaxprocs,omitempty"`

	// CPUSeconds is what the process used, all threads, user and system, in the
	// WindowSeconds between the two readings at the window's edges.
	CPUSeconds    float64 `json:"cpu_seconds"`
	WindowSeconds float64 `json:"window_seconds"`

	Counters *Counters `json:"counters,omitempty"` // nil where the relay has none we can read
}

// Counters are the relay's own, at rest after the drain, since it was started.
// Packets of every kind, the load's probes included.
type Counters struct {
	Received uint64            `json:"received_packets"`
	Forward  uint64            `json:"forwarded_packets"`
	Dropped  map[string]uint64 `json:"dropped_packets"` // by derper's reason
	Queued   int64             `json:"queued_packets"`

	PerWorker []WorkerCounters `json:"workers,omitempty"` // hd only
}

// WorkerCounters are one worker's share.
type WorkerCounters struct {
	Received uint64 `json:"received_packets"`
	Forward  uint64 `json:"forwarded_packets"`
	Recvs    uint64 `json:"recvs"`
	Sends    uint64 `json:"sends"`
	Waits    uint64 `json:"waits"`
}

// DroppedTotal is the packets dropped for any reason.
func (c *Counters) DroppedTotal() uint64 {
	var n uint64
	for _, v := range c.Dropped {
		n += v
	}
	return n
}
