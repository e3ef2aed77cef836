package transport

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Options are the settings of one side's connections.
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

	// TLS is the handshake's configuration; the protocol version is TLS 1.3
	// whatever it says. A client without one does not verify the server.
	TLS *tls.Config
	// RecordUnit cuts what is sent into records that begin anew after every so
	// many bytes; zero fills records up. A unit longer than a record may be takes
	// several.
	RecordUnit int
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
