// Package derp is the DERP wire format, version 2: frames, keys, the login
// messages in both roles and the HTTP upgrade that carries them.
//
// Bytes flow in and bytes flow out: nothing here owns a socket, starts a
// goroutine or keeps state beyond one message. The per-packet parts (ParseHeader,
// PutHeader, RewriteSend, Carry) do not allocate. relay and loadgen share this
// package; it knows neither.
//
// The format is the one of tailscale.com/derp (derp/derp.go there is the
// reference): a frame is one type byte, a big-endian uint32 payload length, and
// the payload.
package derp

// Version is the protocol version this package speaks. Since version 2 a
// received packet starts with its sender's key.
const Version = 2

// Sizes of the wire format, in bytes.
const (
	HeaderLen = 1 + 4 // frame type and payload length
	KeyLen    = 32    // a curve25519 public key
	NonceLen  = 24    // a NaCl box nonce
	PingLen   = 8     // what a ping carries and its pong returns

	// PacketOverhead is what SendPacket and RecvPacket put before the data.
	PacketOverhead = HeaderLen + KeyLen
	// MaxPacket is the most data one packet may carry.
	MaxPacket = 64 << 10
	// MaxPacketFrame is the longest SendPacket or RecvPacket frame.
	MaxPacketFrame = PacketOverhead + MaxPacket
	// MaxPingPayload bounds a ping: the first PingLen bytes are echoed, the
	// rest is room for extensions that derper skips too.
	MaxPingPayload = 1000
	// MaxClientInfo bounds the ClientInfo frame of a peer not yet trusted.
	MaxClientInfo = 256 << 10
	// MaxServerInfo bounds what a server may answer at login.
	MaxServerInfo = NonceLen + 1<<20
)

// FrameType is the first byte of a frame.
type FrameType byte

// The frame types. The mesh frames are listed because a relay must refuse them
// from peers that hold no mesh key; this package does not build them.
const (
	FrameServerKey     FrameType = 0x01 // magic, server key; may be longer
	FrameClientInfo    FrameType = 0x02 // client key, nonce, box of JSON
	FrameServerInfo    FrameType = 0x03 // nonce, box of JSON
	FrameSendPacket    FrameType = 0x04 // destination key, data
	FrameRecvPacket    FrameType = 0x05 // source key, data
	FrameKeepAlive     FrameType = 0x06 // empty
	FrameNotePreferred FrameType = 0x07 // one byte: is this the peer's home relay
	FramePeerGone      FrameType = 0x08 // key, reason
	FramePeerPresent   FrameType = 0x09 // mesh: key, address, flags
	FrameForwardPacket FrameType = 0x0a // mesh: source key, destination key, data
	FrameWatchConns    FrameType = 0x10 // mesh: subscribe to PeerPresent and PeerGone
	FrameClosePeer     FrameType = 0x11 // mesh: key of the peer to disconnect
	FramePing          FrameType = 0x12 // eight bytes, returned in a pong
	FramePong          FrameType = 0x13 // the eight bytes of the ping
	FrameHealth        FrameType = 0x14 // text of what is wrong, empty when mended
	FrameRestarting    FrameType = 0x15 // two uint32: reconnect in, try for (ms)
)

// PeerGoneReason is the last byte of a PeerGone frame.
type PeerGoneReason byte

// Why a peer is gone.
const (
	PeerDisconnected PeerGoneReason = 0x00 // it was here and left
	PeerNotHere      PeerGoneReason = 0x01 // this relay does not know it
)

// KeepAliveSeconds is how often a server sends a KeepAlive frame to every peer, before
// the jitter it adds.
const KeepAliveSeconds = 60

// magic opens the ServerKey frame.
const magic = "DERP\xf0\x9f\x94\x91"

// discoMagic opens a Tailscale disco message ("TS💬"); relays answer those, and
// only those, with PeerGone when the destination is unknown.
const discoMagic = "TS\xf0\x9f\x92\xac"

// IsDisco reports whether data looks like a disco message: magic, sender key,
// nonce, box.
func IsDisco(data []byte) bool {
	return len(data) >= len(discoMagic)+KeyLen+NonceLen && string(data[:len(discoMagic)]) == discoMagic
}
