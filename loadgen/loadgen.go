// Package loadgen is the load generator: it drives any DERP server with an open
// loop of checked packets and measures what comes back.
//
// Every packet has an intended send time that comes from the schedule alone
// (package-internal schedule), never from how the relay behaves. What the relay's
// back-pressure keeps from being sent is shortfall; how late a packet left is
// lateness; latency counts from the intended time. Every payload carries a
// header and a CRC-32C, so that the receivers count unique, duplicate,
// reordered, corrupt and foreign packets, and loss is exact, by sequence number.
//
// A load is prepared (connections, logins, proof that every receiver can be
// reached), then run at a given time: warm-up, measuring window, stop, drain.
// Threads are pinned, one a CPU, each with its own event loop, peers, buffers
// and recorders; nothing is shared between them per packet.
//
// A load may be sent by several hosts, each with a Part. Parts never speak with
// each other but through the relay; that all are ready before any starts, and that
// all have drained before any ends, is for whoever runs them to see to (Drain,
// Settle).
//
// It knows nothing of scenarios, of hosts' names or of what a good result is.
package loadgen

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/derp"
	"hdbench/internal/transport"
	"hdbench/internal/units"
)

// Pattern says who sends to whom.
type Pattern string

// The patterns. A flow is the packets from one sending to one receiving peer.
const (
	Pairs  Pattern = "pairs"   // every flow has a sender and a receiver of its own
	FanIn  Pattern = "fan-in"  // every flow has a sender of its own, all share one receiver
	FanOut Pattern = "fan-out" // one sender, every flow has a receiver of its own
)

// Patterns lists the patterns.
func Patterns() []Pattern { return []Pattern{Pairs, FanIn, FanOut} }

// ParsePattern reads a pattern's name.
func ParsePattern(s string) (Pattern, error) {
	for _, p := range Patterns() {
		if s == string(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("pattern %q: want one of %v", s, Patterns())
}

// Burst says how many frames of one flow leave in one write. The zero Burst is
// BurstTick.
type Burst struct {
	Frames int         // that many, due together
	Bytes  units.Bytes // as many whole frames as fit, at least one, due together
}

// BurstTick is all frames due at a pacing tick, at most MaxTickBurst.
var BurstTick = Burst{}

// MaxTickBurst is the most one write carries under BurstTick: what a sender's TSO
// hands to the network at once.
const MaxTickBurst = 64 << 10

// maxBurst bounds a burst given by hand.
const maxBurst = 4 << 20

// ParseBurst reads "tick", a number of frames, or a size such as "64KiB".
func ParseBurst(s string) (Burst, error) {
	if s == "tick" {
		return BurstTick, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > maxBurst/derp.PacketOverhead {
			return Burst{}, fmt.Errorf("burst %q: want 1 to %d frames", s, maxBurst/derp.PacketOverhead)
		}
		return Burst{Frames: n}, nil
	}
	n, err := units.ParseBytes(s)
	if err != nil || n < 1 || n > maxBurst {
		return Burst{}, fmt.Errorf("burst %q: want tick, a number of frames, or a size of up to %v such as 64KiB", s, units.Bytes(maxBurst))
	}
	return Burst{Bytes: n}, nil
}

// String is the burst as ParseBurst reads it.
func (b Burst) String() string {
	switch {
	case b.Frames > 0:
		return strconv.Itoa(b.Frames)
	case b.Bytes > 0:
		return b.Bytes.String()
	default:
		return "tick"
	}
}

// frames is how many frames of size bytes one write carries at most.
func (b Burst) frames(size int) int {
	switch {
	case b.Frames > 0:
		return b.Frames
	case b.Bytes > 0:
		return max(1, int(b.Bytes)/size)
	default:
		return max(1, MaxTickBurst/size)
	}
}

// Defaults and limits of a Config.
const (
	DefaultTick  = 100 * time.Microsecond
	DefaultDrain = 2 * time.Second
	MinPayload   = headerLen
	MaxPayload   = derp.MaxPacket
	MaxPairs     = 10_000
	MaxThreads   = 256
	IntervalLen  = 100 * time.Millisecond
	minMeasure   = IntervalLen

	DefaultFramesPerRecord = 1
	// MaxFramesPerRecord is more than fit: a record carries 16 KiB.
	MaxFramesPerRecord = 1024

	maxMeasure      = 24 * time.Hour
	DefaultRegister = 10 * time.Second
)

// Config is a load.
type Config struct {
	Relay     string // host:port of the DERP server; ignored with Direct
	Transport transport.Kind
	Pattern   Pattern
	Pairs     int        // flows
	Payload   int        // data bytes of a packet
	Rate      units.Rate // payload bits per second, all flows together
	Burst     Burst
	Tick      time.Duration // resolution of the schedule
	Warmup    time.Duration // sent and received, not measured
	Measure   time.Duration // the window
	Drain     time.Duration // at most, for what is under way when the window ends
	Register  time.Duration // at most, until every receiver has been reached
	CPUs      cpu.Set       // one thread each
	// RTT makes every receiver return what it gets, so that the sender times
	// round trips by its own clock. It doubles what the relay carries.
	RTT        bool
	Congestion string // TCP congestion control; empty is the system's

	// FramesPerRecord is how many frames a TLS record carries, where a write has
	// so many. One is what real clients do: they flush after every packet.
	FramesPerRecord int

	// Direct leaves the relay out: each sender is connected to its receiver. The
	// load then measures this client itself.
	Direct bool

	Part Part   // of the load, where several hosts send it
	Run  uint64 // marks this run's packets; 0: a random one
	Seed uint64 // of the peers' keys: the same seed makes the same peers
}

// WithDefaults fills in what is not set and checks the rest.
func (c Config) WithDefaults() (Config, error) {
	if c.Transport == "" {
		c.Transport = transport.TCP
	}
	if c.Pattern == "" {
		c.Pattern = Pairs
	}
	if c.Tick == 0 {
		c.Tick = DefaultTick
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.Register == 0 {
		c.Register = DefaultRegister
	}
	if c.FramesPerRecord == 0 {
		c.FramesPerRecord = DefaultFramesPerRecord
	}
	if c.CPUs.IsEmpty() {
		all, err := cpu.Available()
		if err != nil {
			return c, err
		}
		c.CPUs = all
	}
	return c, c.check()
}

func (c Config) check() error {
	if err := transport.Check(c.Transport); err != nil {
		return err
	}
	if _, err := ParsePattern(string(c.Pattern)); err != nil {
		return err
	}
	switch {
	case c.Relay == "" && !c.Direct:
		return fmt.Errorf("relay: no address given")
	case c.Pairs < 1 || c.Pairs > MaxPairs:
		return fmt.Errorf("pairs: have %d, want 1 to %d", c.Pairs, MaxPairs)
	case c.Payload < MinPayload || c.Payload > MaxPayload:
		return fmt.Errorf("payload: have %v, want %v (the header that is checked) to %v", units.Bytes(c.Payload), units.Bytes(MinPayload), units.Bytes(MaxPayload))
	case c.Rate <= 0:
		return fmt.Errorf("rate: none given")
	case c.Tick < 10*time.Microsecond || c.Tick > time.Second:
		return fmt.Errorf("tick: have %v, want 10µs to 1s", c.Tick)
	case c.Warmup < 0 || c.Warmup > maxMeasure:
		return fmt.Errorf("warmup: have %v, want 0 to %v", c.Warmup, maxMeasure)
	case c.Measure < minMeasure || c.Measure > maxMeasure:
		return fmt.Errorf("measure: have %v, want %v to %v", c.Measure, minMeasure, maxMeasure)
	case c.Drain < 0 || c.Drain > time.Hour:
		return fmt.Errorf("drain: have %v, want 0 to 1h", c.Drain)
	case c.FramesPerRecord < 1 || c.FramesPerRecord > MaxFramesPerRecord:
		return fmt.Errorf("frames-per-record: have %d, want 1 to %d", c.FramesPerRecord, MaxFramesPerRecord)
	case c.FramesPerRecord > DefaultFramesPerRecord && !c.Transport.Encrypted():
		return fmt.Errorf("frames-per-record: transport %s has no records", c.Transport)
	case c.CPUs.Size() > MaxThreads:
		return fmt.Errorf("cpus: have %d, want at most %d", c.CPUs.Size(), MaxThreads)
	case c.RTT && c.Direct:
		return fmt.Errorf("rtt: there is no way back without a relay")
	}
	if b := c.Burst.frames(c.frameSize()) * c.frameSize(); b > 2*maxBurst {
		return fmt.Errorf("burst %v: %v in one write, want at most %v", c.Burst, units.Bytes(b), units.Bytes(2*maxBurst))
	}
	if err := c.Part.check(&c); err != nil {
		return err
	}
	return transport.CheckCongestion(c.Congestion)
}

// SendBuffer fixes a peer's socket send buffer, in bytes. What the socket has
// taken counts as sent; with autotuning that would be megabytes a peer that have
// not left the host. A Linux without sysctls changed grants this much.
const SendBuffer = 128 << 10

func (c *Config) socketOptions() transport.Options {
	return transport.Options{Congestion: c.Congestion, SendBuffer: SendBuffer, RecordUnit: c.FramesPerRecord * c.frameSize()}
}

// frameSize is the length of a packet on the wire, without what the transport
// adds.
func (c Config) frameSize() int { return derp.PacketOverhead + c.Payload }

// pps is the packets per second of all flows together.
func (c Config) pps() float64 { return float64(c.Rate) / 8 / float64(c.Payload) }

// Describe is the load in one line, for messages.
func (c Config) Describe() string {
	return strings.Join([]string{
		fmt.Sprintf("%d %s", c.Pairs, c.Pattern), units.Bytes(c.Payload).String(),
		"burst " + c.Burst.String(), c.Rate.String(), string(c.Transport),
	}, ", ")
}
