package scenarios

import (
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/relay"
)

// settings says how the value of each setting of a configuration is read, and
// within which bounds, wherever it stands: in the lists that people write, and in
// the resolved part.
var settings = struct {
	transport, onFull, pattern, burst, clientTransport func(string) (string, error)
	workers, queuePackets, pairs, framesPerRecord      func(string) (int, error)
	moderation, tick                                   func(string) (time.Duration, error)
	queueBytes, socketBuffer, payload                  func(string) (units.Bytes, error)
}{
	transport:    knownTransport,
	workers:      intIn(1, relay.MaxWorkers),
	onFull:       onFull,
	moderation:   durationIn(0, relay.MaxModeration),
	queuePackets: intIn(1, 1<<30),
	queueBytes:   bytesIn(derp.MaxPacketFrame, 1<<40),
	socketBuffer: socketBuffer,

	pattern: func(s string) (string, error) {
		_, err := loadgen.ParsePattern(s)
		return s, err
	},
	pairs:   intIn(1, loadgen.MaxPairs),
	payload: bytesIn(loadgen.MinPayload, loadgen.MaxPayload),
	burst: func(s string) (string, error) {
		b, err := loadgen.ParseBurst(s)
		return b.String(), err
	},
	tick:            durationIn(10*time.Microsecond, time.Second),
	clientTransport: clientTransport,
	framesPerRecord: intIn(1, loadgen.MaxFramesPerRecord),
}
