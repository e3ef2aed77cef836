package fleet

import (
	"time"

	"hdbench/internal/measure"
)

// The agents' service. Every agent has endpoints of its own, under its name;
// discovery is micro's.
const (
	serviceName    = "hdbench-agent"
	serviceVersion = "2.0.0" // of the protocol, semantic
)

// headerController says which controller a request is from: a secret between it
// and the agents that it holds.
const headerController = "Hdbench-Controller"

// The verbs.
const (
	verbLease         = "lease"
	verbRelease       = "release"
	verbHost          = "host"
	verbClock         = "clock"
	verbRelayStart    = "relay-start"
	verbRelayWindow   = "relay-window"
	verbRelayProfile  = "relay-profile"
	verbRelayCounters = "relay-counters"
	verbRelayStop     = "relay-stop"
	verbRelayCheck    = "relay-check"
	verbRelayVersion  = "relay-version"
	verbLoadPrepare   = "load-prepare"
	verbLoadRun       = "load-run"
	verbLoadDrain     = "load-drain"
	verbLoadSettle    = "load-settle"
	verbLoadCancel    = "load-cancel"
	verbDoctor        = "doctor"
	verbSteal         = "steal"
	verbDistance      = "distance"
	verbLineListen    = "line-listen"
	verbLineRun       = "line-run"
	verbLineClose     = "line-close"
	verbClear         = "clear"
)

func subject(agent, verb string) string { return "hdbench.agent." + agent + "." + verb }

// How often the controller shows that it lives, and how long an agent goes on
// without hearing it. Long, because host and controller may share two busy CPUs.
const (
	leaseBeat = time.Second
	leaseTerm = 15 * time.Second
)

// Error codes of the agents' answers.
const (
	codeBadRequest = "bad-request"
	codeFailed     = "failed"
	codeNoProfile  = "no-profile"
	codeHeld       = "held"
	codeBusy       = "busy"
)

// leaseRequest takes or renews the lease for the controller of the header.
type leaseRequest struct {
	Who string `json:"who"` // for people
}

// leaseReply says whose lease it is: another agent or term than before means that
// whatever was ordered is gone, more reconnects that answers may be lost.
type leaseReply struct {
	Agent      string `json:"agent"`
	Term       int    `json:"term"`
	Reconnects uint64 `json:"reconnects"`
}

type hostReply struct {
	Host       measure.Host `json:"host"`
	Version    string       `json:"version"`
	Limits     string       `json:"limits,omitempty"` // what it cannot do as the user it is
	Cores      []string     `json:"cores"`            // CPU list of each physical core
	Interfaces []Interface  `json:"interfaces"`
	Binaries   []Binary     `json:"binaries,omitempty"` // relays the agent itself offers
	Place      place        `json:"place"`
}

// Interface is a network interface of a host.
type Interface struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"` // without their networks
	MTU       int      `json:"mtu"`
}

// Binary is a file that a host may run.
type Binary struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

type clockReply struct {
	MonoNS int64 `json:"mono_ns"`
}

// RelayKind says how an agent starts a relay and reads its counters.
type RelayKind string

// The kinds.
const (
	KindHD       RelayKind = "hd"
	KindDerper   RelayKind = "derper"
	KindExternal RelayKind = "external"
)

// RelaySpec is a relay to be started.
type RelaySpec struct {
	Kind      RelayKind `json:"kind"`
	Transport string    `json:"transport"`
	Workers   int       `json:"workers"` // of derper: GOMAXPROCS
	CPUs      string    `json:"cpus"`    // the process runs on these only
	Host      string    `json:"host"`    // address to listen on, without port
	// Wait is how long it may take to accept connections; 0: DefaultRelayWait.
	Wait time.Duration `json:"wait_ns,omitempty"`

	OnFull       string        `json:"on_full,omitempty"`
	Moderation   time.Duration `json:"moderation_ns,omitempty"`
	QueuePackets int           `json:"queue_packets,omitempty"`
	QueueBytes   int64         `json:"queue_bytes,omitempty"`
	SocketBuffer int64         `json:"socket_buffer_bytes,omitempty"`
	Congestion   string        `json:"congestion,omitempty"`

	Path    string `json:"path,omitempty"`    // binary of derper, or of another build of hd, on the agent's host
	SHA256  string `json:"sha256,omitempty"`  // of the binary at Path, which must have it
	Command string `json:"command,omitempty"` // of an external relay, with placeholders
}

// RelayInfo is a relay that is ready.
type RelayInfo struct {
	ID         string   `json:"id"`
	Addr       string   `json:"addr"`
	Version    string   `json:"version"`
	Command    []string `json:"command"`
	Env        []string `json:"env,omitempty"`
	CPUs       string   `json:"cpus"`
	GOMAXPROCS int      `json:"gomaxprocs,omitempty"`
}

type relayRef struct {
	ID string `json:"id"`
}

// windowRequest asks for what a relay uses between two times of the
// agent's clock. The answer comes when the second has passed.
type windowRequest struct {
	ID      string `json:"id"`
	BeginNS int64  `json:"begin_mono_ns"`
	EndNS   int64  `json:"end_mono_ns"`
}

// Window is what a relay used between two readings.
type Window struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	Seconds    float64 `json:"seconds"`

	Perf     *measure.PerfCounters `json:"perf"`
	Sockets  *measure.SocketTimes  `json:"sockets"`
	Threads  []measure.ThreadTime  `json:"threads"`
	Throttle *measure.Throttle     `json:"throttle"`
}

type countersReply struct {
	Counters  *measure.Counters  `json:"counters"`
	KernelTLS *measure.KernelTLS `json:"kernel_tls,omitempty"`
}

type versionRequest struct {
	Kind   RelayKind `json:"kind"`
	Path   string    `json:"path"`
	SHA256 string    `json:"sha256"` // of the binary at Path, which must have it
}

type versionReply struct {
	Version string `json:"version"`
}

// LoadSpec is a load to be prepared; the fields are loadgen.Config's.
type LoadSpec struct {
	Relay      string        `json:"relay,omitempty"` // empty with Direct
	Direct     bool          `json:"direct,omitempty"`
	Transport  string        `json:"transport"` // the client's own
	Pattern    string        `json:"pattern"`
	Pairs      int           `json:"pairs"`
	Payload    int           `json:"payload_bytes"`
	Rate       string        `json:"rate"`
	Burst      string        `json:"burst"`
	Tick       time.Duration `json:"tick_ns"`
	Warmup     time.Duration `json:"warmup_ns"`
	Measure    time.Duration `json:"measure_ns"`
	Drain      time.Duration `json:"drain_ns"`
	CPUs       string        `json:"cpus"`
	RTT        bool          `json:"rtt,omitempty"`
	Congestion string        `json:"congestion,omitempty"`
	Seed       uint64        `json:"seed"`

	FramesPerRecord int `json:"frames_per_record,omitempty"` // 0: the default

	ID       string `json:"id"`             // names the load, so that it can be cancelled while it is prepared
	Part     string `json:"part,omitempty"` // such as 2/3; empty: the load is whole
	Run      uint64 `json:"run,omitempty"`  // marks the run's packets, the same in all parts
	OneClock bool   `json:"one_clock,omitempty"`
}

type loadRef struct {
	ID string `json:"id"`
}

type loadRunRequest struct {
	ID      string `json:"id"`
	StartNS int64  `json:"start_mono_ns"` // of the agent's clock
}

// LoadWindows is what parts of a load tell each other: which packets their flows
// sent inside the window.
type LoadWindows struct {
	Windows []measure.FlowWindow `json:"windows"`
}

type loadSettleRequest struct {
	ID string `json:"id"`
	LoadWindows
}

type lineListenRequest struct {
	Host string `json:"host"` // address to listen on, without port
}

type lineListenReply struct {
	Addr  string `json:"addr"`
	Token string `json:"token"`
}

// lineRunRequest asks a client for one look at its line to the relay.
type lineRunRequest struct {
	Addr     string        `json:"addr"`
	Token    string        `json:"token"`
	ToRelay  bool          `json:"to_relay"`
	Streams  int           `json:"streams"`
	Duration time.Duration `json:"duration_ns"`
	StartNS  int64         `json:"start_mono_ns,omitempty"` // of the agent's clock; 0: at once
}
