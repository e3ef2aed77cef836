package derp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrProtocol is wrapped by every error that means "the other side does not
// speak DERP as this package knows it".
var ErrProtocol = errors.New("derp protocol error")

// ParseHeader reads a frame header from the start of b: the type and the length
// of the payload that follows. ok is false when b is shorter than a header.
func ParseHeader(b []byte) (t FrameType, payload int, ok bool) {
	if len(b) < HeaderLen {
		return 0, 0, false
	}
	return FrameType(b[0]), int(binary.BigEndian.Uint32(b[1:HeaderLen])), true
}

// PutHeader writes a frame header to the start of b, which must hold HeaderLen
// bytes.
func PutHeader(b []byte, t FrameType, payload int) {
	_ = b[HeaderLen-1]
	b[0] = byte(t)
	binary.BigEndian.PutUint32(b[1:HeaderLen], uint32(payload))
}

// AppendFrame appends a whole frame to b.
func AppendFrame(b []byte, t FrameType, payload []byte) []byte {
	b = append(b, byte(t))
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

// RewriteSend turns the SendPacket frame at the start of b into the RecvPacket
// frame its destination reads, in place: the two have the same length, only the
// type and the key differ.
func RewriteSend(b []byte, src *Key) {
	_ = b[PacketOverhead-1]
	b[0] = byte(FrameRecvPacket)
	*(*Key)(b[HeaderLen:PacketOverhead]) = *src
}

// ReadFrame reads one frame from r and returns its payload in buf, grown as
// needed. It is for the login, where a frame is rare and its bound is known:
// a payload over limit is refused before it is read.
func ReadFrame(r io.Reader, buf []byte, limit int) (FrameType, []byte, error) {
	var h [HeaderLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, fmt.Errorf("read frame header: %w", err)
	}
	t, n, _ := ParseHeader(h[:])
	if n > limit {
		return t, nil, fmt.Errorf("%w: frame 0x%02x of %d bytes, limit %d", ErrProtocol, byte(t), n, limit)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return t, nil, fmt.Errorf("read frame 0x%02x of %d bytes: %w", byte(t), n, err)
	}
	return t, buf, nil
}

// readWant reads frames until one of type want comes, skipping the types a
// server may send at any time (KeepAlive, Health and the like) and failing on
// any other.
func readWant(r io.Reader, want FrameType, limit int) ([]byte, error) {
	for range maxInterleaved {
		t, b, err := ReadFrame(r, nil, limit)
		switch {
		case err != nil:
			return nil, err
		case t == want:
			return b, nil
		case t == FrameKeepAlive || t == FrameHealth || t == FrameRestarting:
		default:
			return nil, fmt.Errorf("%w: got frame 0x%02x, want 0x%02x", ErrProtocol, byte(t), byte(want))
		}
	}
	return nil, fmt.Errorf("%w: frame 0x%02x did not come within %d frames", ErrProtocol, byte(want), maxInterleaved)
}

// maxInterleaved bounds how many unrelated frames a login waits through.
const maxInterleaved = 16
