package transport

import (
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket is a connected, non-blocking stream that one thread owns. The zero
// Socket is not valid.
//
// The system calls are raw: they return at once, so the Go scheduler need not be
// told, which at one packet per call is some percent of the time.
type Socket struct {
	fd int
}

// FD is the descriptor, for epoll.
func (s *Socket) FD() int { return s.fd }

// Close ends the connection.
func (s *Socket) Close() error { return unix.Close(s.fd) }

// Recv reads what has arrived into b. It returns 0 and no error when nothing
// has, and io.EOF when the other side has closed.
func (s *Socket) Recv(b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0 && n == 0:
			return 0, io.EOF
		case errno == 0:
			return int(n), nil
		case errno == unix.EAGAIN:
			return 0, nil
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}

// Send writes as much of b as the socket takes now and returns how much that
// was; less than len(b) means: wait until it is writable.
func (s *Socket) Send(b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == 0:
			return int(n), nil
		case errno == unix.EAGAIN:
			return 0, nil
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}

// MaxIOV is how many pieces one SendV may have (Linux's UIO_MAXIOV).
const MaxIOV = 1024

// IOV is one piece of a gathered send.
type IOV = unix.Iovec

// SetIOV makes v name the bytes of b, which must not be empty.
func SetIOV(v *IOV, b []byte) {
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
}

// SendV is Send for bytes that lie in several places.
func (s *Socket) SendV(iov []IOV) (int, error) {
	if len(iov) == 0 {
		return 0, nil
	}
	var m unix.Msghdr
	m.Iov = &iov[0]
	m.SetIovlen(len(iov))
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&m)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case errno == 0:
			return int(n), nil
		case errno == unix.EAGAIN:
			return 0, nil
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}
