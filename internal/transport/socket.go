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
	fd  int
	rec *records // nil: plain TCP
}

// FD is the descriptor, for epoll.
func (s *Socket) FD() int { return s.fd }

// Close ends the connection. With TLS the other side is told, if there is room to
// tell it, and the keys are wiped.
func (s *Socket) Close() error {
	if s.rec != nil {
		s.rec.bye(s.fd)
		s.rec.wipe()
	}
	return unix.Close(s.fd)
}

// Recv reads what has arrived into b, which with TLS must have room for a whole
// record. It returns 0 and no error when nothing has that could be read. An error
// ends the connection, and may come with bytes received before it; it is io.EOF
// when the other side has closed. With TLS it may wrap an error of tlsrec's.
func (s *Socket) Recv(sc *Scratch, b []byte) (int, error) {
	if s.rec != nil {
		return s.rec.recv(s.fd, sc, b)
	}
	n, err := recv(s.fd, b)
	sc.Filled = n == len(b)
	return n, err
}

// Send writes as much of b as the socket takes now and returns how much that
// was; less than len(b) means: wait until it is writable. With user-space TLS,
// what is sealed is taken; see Pending. Bytes between b's length and its capacity
// may be changed during the call, and are put back.
func (s *Socket) Send(sc *Scratch, b []byte) (int, error) {
	if s.rec != nil {
		return s.rec.send(s.fd, sc, b)
	}
	return send(s.fd, b)
}

// Pending reports whether the Socket holds records that are sealed and not yet
// sent. While it does it takes no more; a Send, even of nothing, goes on with
// them once the socket is writable. They are what one Send seals, at most.
func (s *Socket) Pending() bool { return s.rec != nil && len(s.rec.pending) > 0 }

// Unfinished reports whether the beginning of a record has arrived and its end
// has not. Call it when Recv has nothing more.
func (s *Socket) Unfinished() bool { return s.rec != nil && s.rec.unfinished(s.fd) }

func recv(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
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

func send(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
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
func (s *Socket) SendV(sc *Scratch, iov []IOV) (int, error) {
	if len(iov) == 0 {
		return s.Send(sc, nil)
	}
	switch {
	case s.rec == nil:
		return sendV(s.fd, iov)
	case s.rec.out == nil:
		return s.rec.sendVKernel(s.fd, sc, iov)
	default:
		return s.rec.sendV(s.fd, sc, iov)
	}
}

func sendV(fd int, iov []IOV) (int, error) {
	var m unix.Msghdr
	m.Iov = &iov[0]
	m.SetIovlen(len(iov))
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd),
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
