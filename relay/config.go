package relay

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// OnFull says what happens to a packet whose destination's send queue is full.
type OnFull string

const (
	// Pause keeps the packet and stops reading from its source until the queue
	// is half empty: back-pressure, no loss. A receiver that takes longer for that
	// than PauseLimit loses packets instead of stopping its sources.
	Pause OnFull = "pause"
	// DropHead drops the oldest queued packet, as derper does.
	DropHead OnFull = "drop-head"
	// DropTail drops the packet itself.
	DropTail OnFull = "drop-tail"
)

// OnFullPolicies lists the policies.
func OnFullPolicies() []OnFull { return []OnFull{Pause, DropHead, DropTail} }

// Limits and defaults of a Config.
const (
	DefaultMaxPeers  = 65536
	DefaultMaxLogins = 256
	MaxWorkers       = 256
	MaxModeration    = 10 * time.Millisecond
	// DefaultSocketBuffer keeps what is under way through the relay in the L2
	// cache. With autotuned buffers (megabytes a peer) an overloaded relay reads
	// and writes main memory, and carries little more than half as much. The
	// price: a peer's throughput is at most twice this over its round trip time.
	DefaultSocketBuffer = 128 << 10
	// SystemSocketBuffer leaves the buffers to the system's autotuning.
	SystemSocketBuffer = -1

	// DefaultPauseLimit is derper's write timeout, after which it ends a connection.
	DefaultPauseLimit = 2 * time.Second

	defaultLoginTimeout  = 10 * time.Second // derper's
	defaultDrainTimeout  = 2 * time.Second
	defaultRecordTimeout = 10 * time.Second
	userTimeout          = 15 * time.Second // derper's --tcp-user-timeout
)

// DefaultQueue is a peer's send queue under a policy. Pausing needs little, and
// little stays in the cache. Dropping needs enough to bridge a receiver that is
// away for some tens of milliseconds, as one on a shared machine is.
func DefaultQueue(p OnFull) (packets, bytes int) {
	if p == Pause {
		return 1024, 1 << 20
	}
	return 4096, 4 << 20
}

// Config is what a relay is made of. The zero value of a field means its
// default, where it has one.
type Config struct {
	Listen    string // host:port; port 0 picks a free one
	Transport transport.Kind
	Workers   int     // pinned event loops, 1 to MaxWorkers
	CPUs      cpu.Set // worker i runs on the i-th of these, modulo their number; empty: not pinned

	QueuePackets int // a peer's send queue: packets (see DefaultQueue)
	QueueBytes   int // and bytes, of whole frames
	SocketBuffer int // SO_SNDBUF and SO_RCVBUF of each peer, in bytes
	OnFull       OnFull
	// PauseLimit is how long a receiver whose queue is full may keep its sources
	// waiting under Pause; it is looked at once a second.
	PauseLimit time.Duration

	// Moderation is the least time between two wake-ups of a worker while packets
	// keep coming faster than that: it then sleeps that long and takes all that
	// came, as a NIC's rx-usecs does. A packet after a pause is taken at once.
	// Zero is off.
	Moderation time.Duration

	Congestion string // TCP congestion control; empty is the system's

	// Certificate is what the relay shows over TLS; nil: one of its own making.
	// The certificate that tells clients the relay's DERP key is added to it.
	Certificate *tls.Certificate
	MaxPeers    int
	MaxLogins   int // handshakes at once
	Key         derp.PrivateKey

	LoginTimeout time.Duration // from accept to ServerInfo
	// RecordTimeout is how long a peer may leave a TLS record unfinished.
	RecordTimeout time.Duration
	DrainTimeout  time.Duration // for what is queued when the relay stops
	KeepAlive     time.Duration // interval of KeepAlive frames

	Log *slog.Logger // what goes wrong with single connections, at debug level
}

func (c Config) withDefaults() (Config, error) {
	def := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	defD := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		}
	}
	if c.OnFull == "" {
		c.OnFull = Pause
	}
	packets, bytes := DefaultQueue(c.OnFull)
	def(&c.QueuePackets, packets)
	def(&c.QueueBytes, bytes)
	def(&c.SocketBuffer, DefaultSocketBuffer)
	def(&c.MaxPeers, DefaultMaxPeers)
	def(&c.MaxLogins, DefaultMaxLogins)
	defD(&c.PauseLimit, DefaultPauseLimit)
	defD(&c.LoginTimeout, defaultLoginTimeout)
	defD(&c.RecordTimeout, defaultRecordTimeout)
	defD(&c.DrainTimeout, defaultDrainTimeout)
	defD(&c.KeepAlive, derp.KeepAliveSeconds*time.Second)
	if c.Transport == "" {
		c.Transport = transport.TCP
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Key == (derp.PrivateKey{}) {
		k, err := derp.GeneratePrivateKey(rand.Reader)
		if err != nil {
			return c, err
		}
		c.Key = k
	}
	return c, c.check()
}

func (c Config) check() error {
	if c.Workers < 1 || c.Workers > MaxWorkers {
		return fmt.Errorf("workers: have %d, want 1 to %d", c.Workers, MaxWorkers)
	}
	if err := transport.Check(c.Transport); err != nil {
		return err
	}
	if c.Certificate != nil && !c.Transport.Encrypted() {
		return fmt.Errorf("certificate: transport %s has no use for one; did you mean transport tls or ktls?", c.Transport)
	}
	switch c.OnFull {
	case Pause, DropHead, DropTail:
	default:
		return fmt.Errorf("on-full: have %q, want one of %v", c.OnFull, OnFullPolicies())
	}
	if c.QueuePackets < 1 {
		return fmt.Errorf("queue-packets: have %d, want at least 1", c.QueuePackets)
	}
	if c.QueueBytes < derp.MaxPacketFrame {
		return fmt.Errorf("queue-bytes: have %d, want at least %d, the longest frame", c.QueueBytes, derp.MaxPacketFrame)
	}
	if c.SocketBuffer != SystemSocketBuffer && (c.SocketBuffer < 4<<10 || c.SocketBuffer > 1<<30) {
		return fmt.Errorf("socket-buffer: have %d, want 4KiB to 1GiB, or %d for the system's", c.SocketBuffer, SystemSocketBuffer)
	}
	if c.Moderation < 0 || c.Moderation > MaxModeration {
		return fmt.Errorf("moderation: have %v, want 0 to %v", c.Moderation, MaxModeration)
	}
	if c.PauseLimit < 0 {
		return fmt.Errorf("pause-limit: have %v, want more than 0", c.PauseLimit)
	}
	if c.MaxPeers < 1 {
		return fmt.Errorf("max-peers: have %d, want at least 1", c.MaxPeers)
	}
	return transport.CheckCongestion(c.Congestion)
}

// shard is the worker, of n, that a key hashes to. Keys are curve points, as
// good as random, so their first bytes are hash enough.
func shard(k *derp.Key, n int) int {
	return int(binary.LittleEndian.Uint64(k[:8]) % uint64(n))
}
