// Package transport is what carries DERP on the wire, and the one place where a
// new way of carrying it plugs in.
//
// A connection has two lives. During its login it is a Conn: a net.Conn with
// deadlines, on an ordinary goroutine, where handshakes may block and allocate.
// Then Detach turns it into a Socket: a bare non-blocking descriptor that one
// event loop owns, whose Recv and Send neither allocate nor go through an
// interface. relay and loadgen both work on Sockets and do not know what is
// below them; a transport that seals records does so inside Secure (handshake,
// keys) and inside Socket's methods (records).
package transport

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind names a transport.
type Kind string

// TCP is DERP on a plain TCP connection.
const TCP Kind = "tcp"

// Kinds lists the transports this binary has.
func Kinds() []Kind { return []Kind{TCP} }

// ErrNotSupported is wrapped when this binary, or this kernel, does not have a
// transport. Nothing ever falls back to another one instead.
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
