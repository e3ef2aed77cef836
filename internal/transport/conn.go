package transport

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Options are the socket settings of one side.
type Options struct {
	// Congestion is the TCP congestion control's name; empty is the system's
	// default.
	Congestion string
	// UserTimeout ends a connection whose peer takes no data for so long
	// (TCP_USER_TIMEOUT); zero is the system's default.
	UserTimeout time.Duration
	// SendBuffer and RecvBuffer fix the socket's buffers, in bytes as given to
	// setsockopt (the kernel doubles them); zero leaves them to the system's
	// autotuning.
	SendBuffer, RecvBuffer int
}

// Conn is a connection during its login.
type Conn struct {
	*net.TCPConn
	kind Kind
}

// Dial connects to addr and secures the connection as k asks.
func Dial(ctx context.Context, k Kind, addr string, o Options) (*Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return secure(k, nc.(*net.TCPConn), o)
}

// Accepted secures a connection that a listener accepted.
func Accepted(k Kind, nc *net.TCPConn, o Options) (*Conn, error) {
	return secure(k, nc, o)
}

func secure(k Kind, nc *net.TCPConn, o Options) (*Conn, error) {
	if err := o.apply(nc); err != nil {
		nc.Close()
		return nil, err
	}
	switch k {
	case TCP:
		return &Conn{TCPConn: nc, kind: k}, nil
	default:
		nc.Close()
		return nil, fmt.Errorf("%w: %q", ErrNotSupported, k)
	}
}

func (o Options) apply(nc *net.TCPConn) error {
	raw, err := nc.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	set := func(fd uintptr, level, option, value int, name string) {
		if value > 0 && serr == nil {
			if e := unix.SetsockoptInt(int(fd), level, option, value); e != nil {
				serr = fmt.Errorf("set %s to %d: %w", name, value, e)
			}
		}
	}
	err = raw.Control(func(fd uintptr) {
		if o.Congestion != "" {
			serr = setCongestion(int(fd), o.Congestion)
		}
		set(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(o.UserTimeout.Milliseconds()), "TCP_USER_TIMEOUT")
		set(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBuffer, "SO_SNDBUF")
		set(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.RecvBuffer, "SO_RCVBUF")
	})
	if err != nil {
		return err
	}
	return serr
}

func setCongestion(fd int, name string) error {
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name); err != nil {
		return fmt.Errorf("congestion control %q: %w (see sysctl net.ipv4.tcp_available_congestion_control)", name, err)
	}
	return nil
}

// CheckCongestion reports whether this kernel lets a socket use the congestion
// control; the empty name is the default and always there.
func CheckCongestion(name string) error {
	if name == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	return setCongestion(fd, name)
}

// Detach ends the login: the connection leaves the Go runtime's poller and
// becomes a Socket. The Conn must not be used any more, whatever the result.
func (c *Conn) Detach() (Socket, error) {
	defer c.TCPConn.Close()
	raw, err := c.TCPConn.SyscallConn()
	if err != nil {
		return Socket{fd: -1}, fmt.Errorf("detach connection: %w", err)
	}
	fd, derr := -1, error(nil)
	// The duplicate shares the description, so it stays non-blocking; closing
	// the original takes it out of the runtime's poller.
	if err := raw.Control(func(p uintptr) { fd, derr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return Socket{fd: -1}, fmt.Errorf("detach connection: %w", err)
	}
	if derr != nil {
		return Socket{fd: -1}, fmt.Errorf("detach connection: dup: %w", derr)
	}
	return Socket{fd: fd}, nil
}
