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
	CPUNA         string  `json:"cpu_na,omitempty"` // why CPUSeconds says nothing; empty: it does
	WindowSeconds float64 `json:"window_seconds"`

	Perf *PerfCounters `json:"perf,omitempty"` // nil in records of before they were counted

	// What kept the relay, as its host has it; nil in records of before it was kept.
	Sockets  *SocketTimes `json:"sockets,omitempty"`
	Threads  []ThreadTime `json:"threads,omitempty"` // the busiest first, at most MaxThreadTimes
	Throttle *Throttle    `json:"throttle,omitempty"`

	Counters *Counters `json:"counters,omitempty"` // nil where the relay has none we can read

	// KernelTLS is what the host's kernel did for TLS from the relay's start to the
	// end of the trial; nil without TLS, or where the kernel counts nothing.
	KernelTLS *KernelTLS `json:"kernel_tls,omitempty"`
}

// MaxThreadTimes bounds how many threads of a relay are told apart.
const MaxThreadTimes = 16

// RelayNote is what a relay did that it should not, and that spoils no number.
type RelayNote struct {
	What   string `json:"what"`   // one of the words below
	Detail string `json:"detail"` // goes behind the relay's name
}

// What relays do that they should not.
const (
	NoteStubborn = "ignored SIGTERM"
	NoteLeft     = "left processes"
	NotePort     = "kept its port"
	NoteBusy     = "busy without delivering"
	NoteDied     = "ended by itself"
	NoteUnknown  = "end not known" // the agent did not say
)

// KernelTLS are differences of /proc/net/tls_stat. They are of the network
// namespace: on one host the client's own are among them.
type KernelTLS struct {
	TxSoftware    uint64 `json:"tx_sw"` // connections whose records the kernel's software seals
	RxSoftware    uint64 `json:"rx_sw"` // and opens
	TxDevice      uint64 `json:"tx_device"`
	RxDevice      uint64 `json:"rx_device"`
	DecryptErrors uint64 `json:"decrypt_errors"`
}

// Subtract takes away what was there before.
func (k *KernelTLS) Subtract(before *KernelTLS) {
	k.TxSoftware -= before.TxSoftware
	k.RxSoftware -= before.RxSoftware
	k.TxDevice -= before.TxDevice
	k.RxDevice -= before.RxDevice
	k.DecryptErrors -= before.DecryptErrors
}

// Add adds what was counted elsewhere, or at another time.
func (k *KernelTLS) Add(more *KernelTLS) {
	k.TxSoftware += more.TxSoftware
	k.RxSoftware += more.RxSoftware
	k.TxDevice += more.TxDevice
	k.RxDevice += more.RxDevice
	k.DecryptErrors += more.DecryptErrors
}

// RecordCounts are the data records a relay opened and sealed in user space.
type RecordCounts struct {
	In       uint64 `json:"in"`
	InBytes  uint64 `json:"in_bytes"`
	Out      uint64 `json:"out"`
	OutBytes uint64 `json:"out_bytes"`
}

// Counters are the relay's own, at rest after the drain, since it was started.
// Packets of every kind, the load's probes included.
type Counters struct {
	Received uint64            `json:"received_packets"`
	Forward  uint64            `json:"forwarded_packets"`
	Dropped  map[string]uint64 `json:"dropped_packets"` // by derper's reason
	Queued   int64             `json:"queued_packets"`

	Records *RecordCounts `json:"tls_records,omitempty"` // of hd over tls; the kernel does not count them

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
