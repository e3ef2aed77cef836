package loadgen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// peer is one connection to the relay and what its thread needs to serve it.
type peer struct {
	thread  *thread
	slot    int32
	private derp.PrivateKey
	key     derp.Key

	sock   transport.Socket
	open   bool
	suite  string // of TLS; empty without
	unread []byte // what came with the login's last bytes
	carry  derp.Carry

	sends    []*sendHalf // flows that start here
	nextFlow int         // of sends: whose turn it is

	// Of the write that the socket did not wholly take: the bytes left, how many
	// bytes of the first frame among them are gone, and whose they are.
	pend     []byte
	pendPart int
	pendFlow *sendHalf
	blocked  bool

	out sendQueue
	in  recvQueue

	echoes []byte // frames to return, waiting for the socket
}

// loginTimeout bounds one peer's way to being connected.
const loginTimeout = 10 * time.Second

// ErrUnreachable means that nothing accepts connections at the address.
var ErrUnreachable = errors.New("cannot connect")

// ErrNotDERP means that what answered does not speak DERP.
var ErrNotDERP = errors.New("this is not a DERP server")

// logIn connects p to the relay.
func (p *peer) logIn(ctx context.Context, c *Config) (derp.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	conn, err := transport.Dial(ctx, c.Transport, c.Relay, c.socketOptions())
	switch {
	case errors.Is(err, transport.ErrHandshake):
		return derp.Key{}, fmt.Errorf("%w; does this relay speak TLS?", err)
	case err != nil:
		return derp.Key{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer conn.Close() // a detached socket is another descriptor
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	host, _, err := net.SplitHostPort(c.Relay)
	if err != nil {
		return derp.Key{}, err
	}
	if err := derp.WriteUpgradeRequest(conn, host, false); err != nil {
		return derp.Key{}, err
	}
	br := bufio.NewReader(conn)
	key, err := p.login(br, conn)
	if err != nil {
		if ctx.Err() != nil {
			return derp.Key{}, fmt.Errorf("%w: no DERP login within %v: %w", ErrNotDERP, loginTimeout, err)
		}
		return derp.Key{}, fmt.Errorf("%w: %w", ErrNotDERP, err)
	}
	return key, p.detach(conn, br)
}

func (p *peer) login(br *bufio.Reader, conn net.Conn) (derp.Key, error) {
	if err := derp.ReadUpgradeResponse(br); err != nil {
		return derp.Key{}, err
	}
	key, _, err := derp.ClientLogin(br, conn, p.private, derp.ClientInfo{Version: derp.Version})
	return key, err
}

// detach takes the socket over from the Go runtime.
func (p *peer) detach(conn *transport.Conn, br *bufio.Reader) error {
	sock, unread, err := conn.Detach(br)
	if err != nil {
		return err
	}
	p.sock, p.unread, p.open, p.suite = sock, unread, true, conn.Suite()
	return nil
}

func (p *peer) close() {
	if p.open {
		p.sock.Close()
		p.open = false
	}
}
