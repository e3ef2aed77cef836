package derp

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/crypto/nacl/box"
)

// ClientInfo is what a client says of itself at login. The names are the ones
// stock clients send.
type ClientInfo struct {
	Version     int    `json:"version,omitempty"`
	MeshKey     string `json:"meshKey,omitempty"`
	CanAckPings bool
	IsProber    bool   `json:",omitempty"`
	AppName     string `json:",omitempty"`
}

// ServerInfo is what a server answers.
type ServerInfo struct {
	Version int `json:"version,omitempty"`

	TokenBucketBytesPerSecond int `json:",omitempty"`
	TokenBucketBytesBurst     int `json:",omitempty"`
}

// AppendServerKey appends the ServerKey frame that opens a connection.
func AppendServerKey(b []byte, key Key) []byte {
	p := append([]byte(magic), key[:]...)
	return AppendFrame(b, FrameServerKey, p)
}

// ParseServerKey reads the payload of a ServerKey frame. It may be longer than
// this version knows; the rest is for the future.
func ParseServerKey(payload []byte) (Key, error) {
	if len(payload) < len(magic)+KeyLen || string(payload[:len(magic)]) != magic {
		return Key{}, fmt.Errorf("%w: no DERP magic in the server's greeting", ErrProtocol)
	}
	return Key(payload[len(magic) : len(magic)+KeyLen]), nil
}

// SealClientInfo is the payload of a ClientInfo frame: the client's key and, in
// a box only that server can open, what it says of itself.
func SealClientInfo(client PrivateKey, server Key, info ClientInfo) ([]byte, error) {
	pub := client.Public()
	sealed, err := seal(client, server, info)
	if err != nil {
		return nil, fmt.Errorf("client info: %w", err)
	}
	return append(pub[:], sealed...), nil
}

// OpenClientInfo is the server's side of SealClientInfo. The key is proved: only
// its owner could have sealed the box.
func OpenClientInfo(server PrivateKey, payload []byte) (Key, ClientInfo, error) {
	var info ClientInfo
	if len(payload) < KeyLen+NonceLen+box.Overhead {
		return Key{}, info, fmt.Errorf("%w: client info of %d bytes is too short", ErrProtocol, len(payload))
	}
	key := Key(payload[:KeyLen])
	if err := open(server, key, payload[KeyLen:], &info); err != nil {
		return Key{}, info, fmt.Errorf("client info: %w", err)
	}
	return key, info, nil
}

// SealServerInfo is the payload of a ServerInfo frame.
func SealServerInfo(server PrivateKey, client Key, info ServerInfo) ([]byte, error) {
	b, err := seal(server, client, info)
	if err != nil {
		return nil, fmt.Errorf("server info: %w", err)
	}
	return b, nil
}

// OpenServerInfo is the client's side of SealServerInfo.
func OpenServerInfo(client PrivateKey, server Key, payload []byte) (ServerInfo, error) {
	var info ServerInfo
	if err := open(client, server, payload, &info); err != nil {
		return info, fmt.Errorf("server info: %w", err)
	}
	return info, nil
}

func seal(from PrivateKey, to Key, v any) ([]byte, error) {
	msg, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var nonce [NonceLen]byte
	if _, err := io.ReadFull(rand.Reader, nonce[:]); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	var sealed []byte
	withSharedKey(from, to, func(shared *[KeyLen]byte) { sealed = box.SealAfterPrecomputation(nonce[:], msg, &nonce, shared) })
	return sealed, nil
}

// withSharedKey lends the key that two parties' boxes are sealed with, and wipes it.
func withSharedKey(own PrivateKey, other Key, use func(shared *[KeyLen]byte)) {
	var shared [KeyLen]byte
	box.Precompute(&shared, (*[KeyLen]byte)(&other), (*[KeyLen]byte)(&own))
	use(&shared)
	clear(shared[:])
	clear(own[:]) // a copy
}

func open(to PrivateKey, from Key, sealed []byte, v any) error {
	if len(sealed) < NonceLen+box.Overhead {
		return fmt.Errorf("%w: box of %d bytes is too short", ErrProtocol, len(sealed))
	}
	nonce := [NonceLen]byte(sealed[:NonceLen])
	var msg []byte
	ok := false
	withSharedKey(to, from, func(shared *[KeyLen]byte) {
		msg, ok = box.OpenAfterPrecomputation(nil, sealed[NonceLen:], &nonce, shared)
	})
	if !ok {
		return fmt.Errorf("%w: the box does not open with key %s", ErrProtocol, from)
	}
	if err := json.Unmarshal(msg, v); err != nil {
		return fmt.Errorf("%w: %v", ErrProtocol, err)
	}
	return nil
}

// ServerLogin runs the server's side of a login, after the HTTP upgrade, up to
// the client's proved key. It returns the ServerInfo frame instead of sending it:
// the caller sends it once the client is registered, so that a client that has
// read it can be reached. It reads no byte past the ClientInfo frame if r does
// not.
func ServerLogin(r io.Reader, w io.Writer, key PrivateKey) (client Key, info ClientInfo, serverInfo []byte, err error) {
	if _, err := w.Write(AppendServerKey(nil, key.Public())); err != nil {
		return Key{}, ClientInfo{}, nil, fmt.Errorf("send server key: %w", err)
	}
	t, payload, err := ReadFrame(r, nil, MaxClientInfo)
	if err != nil {
		return Key{}, ClientInfo{}, nil, fmt.Errorf("receive client info: %w", err)
	}
	if t != FrameClientInfo {
		return Key{}, ClientInfo{}, nil, fmt.Errorf("%w: got frame 0x%02x, want client info", ErrProtocol, byte(t))
	}
	client, info, err = OpenClientInfo(key, payload)
	if err != nil {
		return Key{}, ClientInfo{}, nil, err
	}
	sealed, err := SealServerInfo(key, client, ServerInfo{Version: Version})
	if err != nil {
		return Key{}, ClientInfo{}, nil, err
	}
	return client, info, AppendFrame(nil, FrameServerInfo, sealed), nil
}

// ClientLogin runs the client's side of a login, after the HTTP upgrade, and
// returns the server's key and what it says of itself.
func ClientLogin(r io.Reader, w io.Writer, key PrivateKey, info ClientInfo) (Key, ServerInfo, error) {
	greeting, err := readWant(r, FrameServerKey, 1<<10)
	if err != nil {
		return Key{}, ServerInfo{}, fmt.Errorf("receive server key: %w", err)
	}
	server, err := ParseServerKey(greeting)
	if err != nil {
		return Key{}, ServerInfo{}, err
	}
	sealed, err := SealClientInfo(key, server, info)
	if err != nil {
		return Key{}, ServerInfo{}, err
	}
	if _, err := w.Write(AppendFrame(nil, FrameClientInfo, sealed)); err != nil {
		return Key{}, ServerInfo{}, fmt.Errorf("send client info: %w", err)
	}
	payload, err := readWant(r, FrameServerInfo, MaxServerInfo)
	if err != nil {
		return Key{}, ServerInfo{}, fmt.Errorf("receive server info: %w", err)
	}
	si, err := OpenServerInfo(key, server, payload)
	return server, si, err
}
