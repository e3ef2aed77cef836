// Package transport is what carries DERP on the wire, and the one place where a
// new way of carrying it plugs in.
//
// A connection has two lives. During its login it is a Conn: a net.Conn with
// deadlines, on an ordinary goroutine, where handshakes may block and allocate.
// Then Detach turns it into a Socket: a bare non-blocking descriptor that one
// event loop owns, whose Recv and Send neither allocate nor go through an
// interface. relay and loadgen both work on Sockets and do not know what is
// below them: plain TCP, the kernel's TLS records, or our own, which are sealed
// and opened in the buffers of the loop that owns the Socket (Scratch).
//
// Nothing ever falls back to another transport.
package transport

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/tlsrec"
)

// Kind names a transport.
type Kind string

// The transports.
const (
	TCP  Kind = "tcp"  // DERP on a plain TCP connection
	TLS  Kind = "tls"  // TLS 1.3, records sealed in user space, by the thread that owns the socket
	KTLS Kind = "ktls" // TLS 1.3, records sealed by the kernel
)

// Kinds lists the transports.
func Kinds() []Kind { return []Kind{TCP, TLS, KTLS} }

// ErrNotSupported is wrapped when there is no such transport, or this kernel does
// not have it.
var ErrNotSupported = errors.New("transport not supported")

// ParseKind reads a transport's name.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	names := make([]string, 0, len(Kinds()))
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return "", fmt.Errorf("%w: %q (this binary has: %s)", ErrNotSupported, s, strings.Join(names, ", "))
}

// Check reports whether this host can carry the transport. For ktls it tries the
// kernel; the error wraps ErrNotSupported and says what is missing.
func Check(k Kind) error {
	if _, err := ParseKind(string(k)); err != nil {
		return err
	}
	if k != KTLS {
		return nil
	}
	if err := tlsrec.CheckKernel(tlsrec.AES128GCM); err != nil {
		return fmt.Errorf("%w: ktls: %w", ErrNotSupported, err)
	}
	return nil
}

// Encrypted reports whether the transport is TLS on the wire.
func (k Kind) Encrypted() bool { return k == TLS || k == KTLS }
