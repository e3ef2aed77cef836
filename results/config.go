package results

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"hdbench/internal/units"
)

// Relay names with a meaning of their own. Any other name is an external relay.
const (
	RelayHD     = "hd"
	RelayDerper = "derper"
	RelayNone   = "none" // calibration: the client alone
)

// Config is one configuration: a relay with its settings, and the shape of the
// load, but not how much. It is comparable.
type Config struct {
	Relay     string `json:"relay"`
	Version   string `json:"version,omitempty"` // asked for, where there is a choice
	Transport string `json:"transport"`
	Workers   int    `json:"workers"` // of derper: GOMAXPROCS

	// Settings of hd.
	OnFull       string `json:"on_full,omitempty"`
	ModerationNS int64  `json:"moderation_ns,omitempty"`
	QueuePackets int    `json:"queue_packets,omitempty"`
	QueueBytes   int64  `json:"queue_bytes,omitempty"`
	SocketBuffer int64  `json:"socket_buffer_bytes,omitempty"` // -1: the system's
	Congestion   string `json:"tcp_congestion_control,omitempty"`

	// Of the client, where the transport is TLS. ClientTransport is empty for the
	// default (see ClientSide), FramesPerRecord 0 for one.
	ClientTransport string `json:"client_transport,omitempty"`
	FramesPerRecord int    `json:"frames_per_record,omitempty"`

	Load Shape `json:"load"`
}

// ClientSide is the client's own transport. To a relay over ktls it is tls unless
// asked for otherwise: on the wire both are TLS 1.3, and with the same client the
// two transports of the relay differ in nothing else.
func (c Config) ClientSide() string {
	switch {
	case c.ClientTransport != "":
		return c.ClientTransport
	case c.Transport == "ktls":
		return "tls"
	default:
		return c.Transport
	}
}

// Shape is a load without its rate.
type Shape struct {
	Pattern      string `json:"pattern"`
	Pairs        int    `json:"pairs"`
	PayloadBytes int    `json:"payload_bytes"`
	Burst        string `json:"burst"`
	TickNS       int64  `json:"tick_ns"`
	RTT          bool   `json:"rtt,omitempty"`
	Congestion   string `json:"tcp_congestion_control,omitempty"` // of the client's sockets
}

// Point is one place in the matrix: a configuration at one offered rate.
type Point struct {
	Config
	Offered units.Rate `json:"offered"`
}

// String is the shape in words.
func (s Shape) String() string {
	parts := []string{
		fmt.Sprintf("%d %s", s.Pairs, s.Pattern),
		fmt.Sprintf("payload %s", units.Bytes(s.PayloadBytes)),
		"burst " + s.burst(),
	}
	if s.RTT {
		parts = append(parts, "round trips")
	}
	if s.Congestion != "" {
		parts = append(parts, s.Congestion)
	}
	return strings.Join(parts, ", ")
}

func (s Shape) burst() string {
	switch s.Burst {
	case "tick":
		return "tick " + time.Duration(s.TickNS).String()
	case "1":
		return "1 frame"
	}
	if _, err := strconv.Atoi(s.Burst); err == nil {
		return s.Burst + " frames"
	}
	return s.Burst
}

// name is the configuration without its load, settings that vary included.
func (c Config) name(varies map[string]bool) string {
	parts := []string{c.Relay}
	if c.Version != "" {
		parts = append(parts, c.Version)
	}
	parts = append(parts, c.Transport)
	switch {
	case c.Relay == RelayDerper:
		parts = append(parts, fmt.Sprintf("GOMAXPROCS=%d", c.Workers))
	case c.Workers == 1:
		parts = append(parts, "1 worker")
	default:
		parts = append(parts, fmt.Sprintf("%d workers", c.Workers))
	}
	for _, s := range c.settings() {
		if varies[s.key] && s.value != "" {
			parts = append(parts, s.key+" "+s.value)
		}
	}
	return strings.Join(parts, " ")
}

// setting is one of a relay's settings, as text; the empty value is the default.
type setting struct{ key, value string }

func (c Config) settings() []setting {
	var moderation, buffer string
	if c.ModerationNS > 0 {
		moderation = time.Duration(c.ModerationNS).String()
	}
	switch {
	case c.SocketBuffer < 0:
		buffer = "system"
	case c.SocketBuffer > 0:
		buffer = units.Bytes(c.SocketBuffer).String()
	}
	count := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	size := func(n int64) string {
		if n == 0 {
			return ""
		}
		return units.Bytes(n).String()
	}
	return []setting{
		{"on-full", c.OnFull}, {"moderation", moderation}, {"queue-packets", count(c.QueuePackets)},
		{"queue-bytes", size(c.QueueBytes)}, {"socket-buffer", buffer}, {"congestion", c.Congestion},
		{"client", c.ClientTransport}, {"frames-per-record", count(c.FramesPerRecord)},
	}
}

// Names gives each configuration the shortest name that tells it from the others
// of its relay: settings that all share are left out.
func Names(cs []Config) map[Config]string {
	values := map[string]map[string]bool{} // relay/setting to its values
	for _, c := range cs {
		for _, s := range c.settings() {
			k := c.Relay + "/" + s.key
			if values[k] == nil {
				values[k] = map[string]bool{}
			}
			values[k][s.value] = true
		}
	}
	names := make(map[Config]string, len(cs))
	for _, c := range cs {
		varies := map[string]bool{}
		for _, s := range c.settings() {
			varies[s.key] = len(values[c.Relay+"/"+s.key]) > 1
		}
		names[c] = c.name(varies)
	}
	return names
}
