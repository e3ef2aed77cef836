package relay

import (
	"errors"
	"sync/atomic"
	"time"

	"hdbench/internal/tlsrec"
	"hdbench/internal/transport"
)

// DropReason says why a packet was dropped, in derper's names where it has one.
type DropReason uint8

// The reasons.
const (
	DropUnknownDest      DropReason = iota // no peer has the key
	DropGoneDisconnected                   // the peer left before its queue did
	DropQueueHead                          // queue full, oldest dropped
	DropQueueTail                          // queue full, newest dropped
	DropWriteError                         // the peer's socket failed
	DropDupClient                          // several connections have the key, none is active
	DropPauseLimit                         // queue full under pause for longer than PauseLimit; ours, not derper's
	numDropReasons
)

var dropNames = [numDropReasons]string{
	"unknown_dest", "gone_disconnected", "queue_head", "queue_tail", "write_error", "dup_client", "pause_limit",
}

// String is the reason's name in metrics and records.
func (r DropReason) String() string { return dropNames[r] }

// DropReasons lists all reasons.
func DropReasons() []DropReason {
	rs := make([]DropReason, numDropReasons)
	for i := range rs {
		rs[i] = DropReason(i)
	}
	return rs
}

// counters are one worker's. Only the worker touches them: others get copies,
// made between two rounds of its loop, so there is nothing to synchronise and no
// cache line to share.
type counters struct {
	receivedPackets, receivedBytes   uint64
	forwardedPackets, forwardedBytes uint64
	droppedPackets, droppedBytes     [numDropReasons]uint64
	handedOver, takenOver            uint64 // packets put into and taken from rings

	adopted, left    uint64 // peers
	protocolErrors   uint64 // peers disconnected for what they sent
	pings, pongsLost uint64
	keepAlives       uint64
	peerGones        uint64
	unknownFrames    uint64

	// Peers disconnected for what their TLS records were.
	decryptErrors, tlsAlerts, keyUpdates, unexpectedRecords, recordTimeouts uint64

	recvs, sends  uint64 // system calls that moved data
	waits         uint64 // times the worker slept
	moderated     uint64 // times it slept on purpose
	crossWakes    uint64 // times it woke another worker
	pauses        uint64 // times a source was paused
	slowReceivers uint64 // times a receiver was found to be slow
}

func (c *counters) drop(r DropReason, packets, data int) {
	c.droppedPackets[r] += uint64(packets)
	c.droppedBytes[r] += uint64(data)
}

// countRecordError counts why a connection with TLS has ended, if that is why.
func (c *counters) countRecordError(err error) {
	switch {
	case errors.Is(err, tlsrec.ErrDecrypt):
		c.decryptErrors++
	case errors.Is(err, tlsrec.ErrAlert):
		c.tlsAlerts++
	case errors.Is(err, tlsrec.ErrKeyUpdate):
		c.keyUpdates++
	case errors.Is(err, tlsrec.ErrUnexpected):
		c.unexpectedRecords++
	}
}

// lobbyCounters count what happens before a peer has a worker.
type lobbyCounters struct {
	accepted, failed, refused, evicted, timedOut, other, noTLS atomic.Uint64
}

func (l *lobbyCounters) snapshot() LoginSnapshot {
	return LoginSnapshot{
		Accepted: l.accepted.Load(),
		Failed:   l.failed.Load(),
		Refused:  l.refused.Load(),
		Evicted:  l.evicted.Load(),
		TimedOut: l.timedOut.Load(),
		Other:    l.other.Load(),
		NoTLS:    l.noTLS.Load(),
	}
}

// Snapshot is every counter of a relay. Packets are SendPacket frames, bytes
// their data without key and header. In a quiet relay
// Received = Forwarded + Σ Dropped + Queued, for packets.
type Snapshot struct {
	Uptime    time.Duration    `json:"uptime_ns"`
	Logins    LoginSnapshot    `json:"logins"`
	PerWorker []WorkerSnapshot `json:"workers"`
}

// LoginSnapshot counts connections before they are peers.
type LoginSnapshot struct {
	Accepted uint64 `json:"accepted"`  // TCP connections
	Failed   uint64 `json:"failed"`    // that did not speak DERP
	Refused  uint64 `json:"refused"`   // for want of room: too many peers, or logins that get on
	Evicted  uint64 `json:"evicted"`   // that did not get on with their login, when others wanted the room
	TimedOut uint64 `json:"timed_out"` // that did not finish their login in time
	Other    uint64 `json:"other"`     // plain HTTP requests, probes among them
	NoTLS    uint64 `json:"no_tls"`    // whose TLS handshake failed
}

// WorkerSnapshot is one worker's counters and gauges.
type WorkerSnapshot struct {
	Worker int `json:"worker"`
	Peers  int `json:"peers"`

	ReceivedPackets  uint64            `json:"received_packets"`
	ReceivedBytes    uint64            `json:"received_bytes"`
	ForwardedPackets uint64            `json:"forwarded_packets"`
	ForwardedBytes   uint64            `json:"forwarded_bytes"`
	DroppedPackets   map[string]uint64 `json:"dropped_packets"`
	DroppedBytes     map[string]uint64 `json:"dropped_bytes"`
	QueuedPackets    int64             `json:"queued_packets"` // in send queues now

	HandedOver uint64 `json:"handed_over_packets"` // given to other workers
	TakenOver  uint64 `json:"taken_over_packets"`  // got from them

	Adopted        uint64 `json:"adopted"`
	Left           uint64 `json:"left"`
	ProtocolErrors uint64 `json:"protocol_errors"`
	Pings          uint64 `json:"pings"`
	PongsLost      uint64 `json:"pongs_lost"`
	KeepAlives     uint64 `json:"keep_alives"`
	PeerGones      uint64 `json:"peer_gones"`
	UnknownFrames  uint64 `json:"unknown_frames"`

	DecryptErrors     uint64 `json:"decrypt_errors"`     // peers disconnected for a record that does not authenticate or is none
	TLSAlerts         uint64 `json:"tls_alerts"`         // for a fatal alert of theirs
	KeyUpdates        uint64 `json:"key_updates"`        // for a KeyUpdate that this kernel cannot follow, or for too many; see Records for those followed
	UnexpectedRecords uint64 `json:"unexpected_records"` // for a record or message that has no place after the handshake
	RecordTimeouts    uint64 `json:"record_timeouts"`    // for a record that was begun and not ended

	Records transport.RecordCounts `json:"records"` // of all peers; with ktls only bytes are known

	Recvs      uint64 `json:"recvs"`
	Sends      uint64 `json:"sends"`
	Waits      uint64 `json:"waits"`
	Moderated  uint64 `json:"moderated"`
	CrossWakes uint64 `json:"cross_wakes"`
	Pauses     uint64 `json:"pauses"`

	SlowReceivers uint64 `json:"slow_receivers"` // times one kept its sources paused for PauseLimit
}

// Totals are the numbers of the accounting identity.
type Totals struct {
	ReceivedPackets  uint64            `json:"received_packets"`
	ReceivedBytes    uint64            `json:"received_bytes"`
	ForwardedPackets uint64            `json:"forwarded_packets"`
	ForwardedBytes   uint64            `json:"forwarded_bytes"`
	Dropped          map[string]uint64 `json:"dropped"` // packets, by reason
	QueuedPackets    int64             `json:"queued_packets"`
}

// Totals sums the workers. Packets on their way between two workers are queued.
func (s Snapshot) Totals() Totals {
	t := Totals{Dropped: make(map[string]uint64, numDropReasons)}
	for _, w := range s.PerWorker {
		t.ReceivedPackets += w.ReceivedPackets
		t.ReceivedBytes += w.ReceivedBytes
		t.ForwardedPackets += w.ForwardedPackets
		t.ForwardedBytes += w.ForwardedBytes
		for r, n := range w.DroppedPackets {
			t.Dropped[r] += n
		}
		t.QueuedPackets += w.QueuedPackets + int64(w.HandedOver-w.TakenOver)
	}
	return t
}

// Balanced reports whether every packet received is accounted for.
func (t Totals) Balanced() bool {
	sum := t.ForwardedPackets + uint64(t.QueuedPackets)
	for _, n := range t.Dropped {
		sum += n
	}
	return sum == t.ReceivedPackets
}

func (w *worker) snapshot() WorkerSnapshot {
	c := &w.c
	s := WorkerSnapshot{
		Worker: w.id, Peers: int(c.adopted - c.left),
		ReceivedPackets: c.receivedPackets, ReceivedBytes: c.receivedBytes,
		ForwardedPackets: c.forwardedPackets, ForwardedBytes: c.forwardedBytes,
		DroppedPackets: make(map[string]uint64, numDropReasons),
		DroppedBytes:   make(map[string]uint64, numDropReasons),
		HandedOver:     c.handedOver, TakenOver: c.takenOver,
		Adopted: c.adopted, Left: c.left, ProtocolErrors: c.protocolErrors,
		Pings: c.pings, PongsLost: c.pongsLost, KeepAlives: c.keepAlives,
		PeerGones: c.peerGones, UnknownFrames: c.unknownFrames,
		DecryptErrors: c.decryptErrors, TLSAlerts: c.tlsAlerts, KeyUpdates: c.keyUpdates,
		UnexpectedRecords: c.unexpectedRecords, RecordTimeouts: c.recordTimeouts,
		Records: w.io.Records,
		Recvs:   c.recvs, Sends: c.sends, Waits: c.waits, Moderated: c.moderated,
		CrossWakes: c.crossWakes, Pauses: c.pauses, SlowReceivers: c.slowReceivers,
	}
	for _, r := range DropReasons() {
		s.DroppedPackets[r.String()] = c.droppedPackets[r]
		s.DroppedBytes[r.String()] = c.droppedBytes[r]
	}
	for _, p := range w.peers {
		if p != nil {
			s.QueuedPackets += int64(p.q.packets())
		}
	}
	return s
}
