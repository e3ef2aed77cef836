package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"hdbench/internal/tlsrec"
)

// ErrHandshake is wrapped by what goes wrong before the first byte of DERP.
var ErrHandshake = errors.New("no TLS connection")

// Conn is a connection during its login. With TLS its handshake is done, and its
// Read and Write are those of the record layer that the Socket will have.
type Conn struct {
	*net.TCPConn
	raw  syscall.RawConn
	sock Socket // its descriptor is valid inside raw's calls only
	tls  *loginTLS
}

// loginTLS is what a Conn with TLS needs before an event loop lends its buffers.
type loginTLS struct {
	suite   tlsrec.Suite
	scratch *Scratch
	buf     []byte
	unread  []byte // in buf: received and not yet read
}

// Dial connects to addr and secures the connection as k asks.
func Dial(ctx context.Context, k Kind, addr string, o Options) (*Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if k.Encrypted() && o.TLS == nil {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			nc.Close()
			return nil, err
		}
		// A load sends no secrets, and relays under test have certificates of
		// their own making.
		o.TLS = &tls.Config{ServerName: host, InsecureSkipVerify: true}
	}
	return secure(ctx, k, tlsrec.Client, nc.(*net.TCPConn), o)
}

// Accepted secures a connection that a listener accepted. The handshake is
// bounded by the connection's deadline. For TLS, Options.TLS must have the
// server's certificate.
func Accepted(k Kind, nc *net.TCPConn, o Options) (*Conn, error) {
	return secure(context.Background(), k, tlsrec.Server, nc, o)
}

// secure is where transports differ.
func secure(ctx context.Context, k Kind, role tlsrec.Role, nc *net.TCPConn, o Options) (*Conn, error) {
	fail := func(err error) (*Conn, error) {
		nc.Close()
		return nil, err
	}
	if err := o.apply(nc); err != nil {
		return fail(err)
	}
	raw, err := nc.SyscallConn()
	if err != nil {
		return fail(err)
	}
	c := &Conn{TCPConn: nc, raw: raw}
	switch k {
	case TCP:
		return c, nil
	case TLS, KTLS:
	default:
		return fail(fmt.Errorf("%w: %q", ErrNotSupported, k))
	}
	if role == tlsrec.Server && o.TLS == nil {
		return fail(fmt.Errorf("%w: no certificate given", ErrHandshake))
	}
	s, err := tlsrec.Handshake(ctx, nc, role, o.TLS)
	if err != nil {
		// nc stays open: a server may still want to say something in plain text.
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if c.sock.rec, err = newRecords(k, s, o, c.enableKernel); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrHandshake, err))
	}
	c.tls = &loginTLS{suite: s.Suite, scratch: newScratch(tlsrec.MaxRecord, tlsrec.MaxRecord), buf: make([]byte, tlsrec.MaxRecord)}
	return c, nil
}

func (c *Conn) enableKernel(s *tlsrec.Session) error {
	var serr error
	err := c.raw.Control(func(fd uintptr) { serr = tlsrec.EnableKernel(int(fd), s) })
	return errors.Join(err, serr)
}

// Close ends a connection that was not detached, and wipes its keys. Nothing may
// read or write it meanwhile.
func (c *Conn) Close() error {
	c.wipe()
	return c.TCPConn.Close()
}

func (c *Conn) wipe() {
	if c.sock.rec != nil {
		c.sock.rec.wipe()
	}
}

// Suite is the cipher suite of a connection with TLS, by its registered name;
// empty without.
func (c *Conn) Suite() string {
	if c.tls == nil {
		return ""
	}
	return c.tls.suite.String()
}

// Read reads what has arrived, as net.Conn does.
func (c *Conn) Read(p []byte) (int, error) {
	if c.tls == nil {
		return c.TCPConn.Read(p)
	}
	t := c.tls
	if len(t.unread) == 0 {
		n, rerr := 0, error(nil)
		err := c.raw.Read(func(fd uintptr) bool {
			c.sock.fd = int(fd)
			n, rerr = c.sock.Recv(t.scratch, t.buf)
			return n > 0 || rerr != nil
		})
		if n == 0 {
			return 0, errors.Join(err, rerr)
		}
		t.unread = t.buf[:n]
	}
	n := copy(p, t.unread)
	t.unread = t.unread[n:]
	return n, nil
}

// Write writes all of p, as net.Conn does.
func (c *Conn) Write(p []byte) (int, error) {
	if c.tls == nil {
		return c.TCPConn.Write(p)
	}
	// A copy: Send borrows bytes, and an io.Writer may not touch what it is given.
	own := bytes.Clone(p)
	sent, serr := 0, error(nil)
	err := c.raw.Write(func(fd uintptr) bool {
		c.sock.fd = int(fd)
		n := 0
		n, serr = c.sock.Send(c.tls.scratch, own[sent:])
		sent += n
		return serr != nil || sent == len(own) && !c.sock.Pending()
	})
	return sent, errors.Join(err, serr)
}

// Detach ends the login: the connection leaves the Go runtime's poller and
// becomes a Socket. br is what the login was read through, nil if nothing was;
// unread is what had arrived beyond it. The Conn must not be used any more,
// whatever the result.
func (c *Conn) Detach(br *bufio.Reader) (sock Socket, unread []byte, err error) {
	defer c.Close() // wipes the keys, unless they have gone to the Socket
	sock = Socket{fd: -1}
	if br != nil {
		unread = make([]byte, br.Buffered())
		if _, err := io.ReadFull(br, unread); err != nil {
			return sock, nil, fmt.Errorf("detach connection: %w", err)
		}
	}
	if c.tls != nil {
		unread = append(unread, c.tls.unread...)
	}
	fd, derr := -1, error(nil)
	// The duplicate shares the description, so it stays non-blocking; closing
	// the original takes it out of the runtime's poller.
	if err := c.raw.Control(func(p uintptr) { fd, derr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return sock, nil, fmt.Errorf("detach connection: %w", err)
	}
	if derr != nil {
		return sock, nil, fmt.Errorf("detach connection: dup: %w", derr)
	}
	sock = Socket{fd: fd, rec: c.sock.rec}
	c.sock.rec = nil
	return sock, unread, nil
}
