// Package epoll is one thread's wait for its sockets: epoll with a
// nanosecond timeout, and an eventfd by which other threads end the wait.
//
// It is level-triggered, so that a thread may take one read from a socket and
// leave the rest for the next round: no read is spent on learning that a socket
// is empty, and no socket starves the others. A Poller belongs to one thread;
// only Wake may be called from another.
package epoll

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Readable and Writable are the conditions a socket can be watched for. Errors
// and hang-ups are always reported.
const (
	Readable = unix.EPOLLIN | unix.EPOLLRDHUP
	Writable = unix.EPOLLOUT
)

// Event is what happened to one socket: the two words given to Add, and the
// condition.
type Event = unix.EpollEvent

// wakeSlot marks the eventfd among the events.
const wakeSlot = math.MinInt32

// Poller waits for sockets.
type Poller struct {
	fd, wake int
	events   []Event
}

// New returns a Poller that reports up to batch events at a time.
func New(batch int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p := &Poller{fd: fd, wake: wake, events: make([]Event, batch)}
	// Edge-triggered: the eventfd's counter is never read, one wake is one edge.
	ev := Event{Events: unix.EPOLLIN | unix.EPOLLET, Fd: wakeSlot}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		p.Close()
		return nil, fmt.Errorf("epoll_ctl add eventfd: %w", err)
	}
	return p, nil
}

// Close releases the descriptors. Sockets added stay open.
func (p *Poller) Close() {
	unix.Close(p.wake)
	unix.Close(p.fd)
}

// Add watches the socket fd. Events come back with slot in Fd and gen in Pad; a
// slot is not negative.
func (p *Poller) Add(fd int, conditions uint32, slot, gen int32) error {
	return p.ctl(unix.EPOLL_CTL_ADD, "add", fd, conditions, slot, gen)
}

// Modify changes what fd is watched for.
func (p *Poller) Modify(fd int, conditions uint32, slot, gen int32) error {
	return p.ctl(unix.EPOLL_CTL_MOD, "modify", fd, conditions, slot, gen)
}

// Remove ends the watch on fd.
func (p *Poller) Remove(fd int) error {
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("epoll_ctl remove fd %d: %w", fd, err)
	}
	return nil
}

func (p *Poller) ctl(op int, name string, fd int, conditions uint32, slot, gen int32) error {
	ev := Event{Events: conditions, Fd: slot, Pad: gen}
	if err := unix.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl %s fd %d: %w", name, fd, err)
	}
	return nil
}

// Poll returns what has happened already, without waiting. The slice is valid
// until the next Poll or Wait. It does not tell the Go scheduler: the call
// returns at once.
func (p *Poller) Poll() ([]Event, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	return p.result(n, errno)
}

// Wait returns what has happened, waiting up to timeout for something to; a
// negative timeout waits for ever. A Wake, or a signal, ends the wait with no
// events.
//
// The Go scheduler is not told here either: the thread keeps its P while it
// sleeps. Told of every sleep of some ten microseconds, the runtime's monitor
// thread would be woken each time and poll for a millisecond, which cost a third
// of the CPU of a relay at 1 Gbps. When the runtime wants the thread to stop (for
// garbage collection, or after 10 ms) it sends a signal, and that ends the wait.
// So a program must have a P to spare for each Poller it waits with.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	if timeout == 0 {
		return p.Poll()
	}
	// epoll_pwait2 (Linux 5.11) takes nanoseconds; epoll_wait's milliseconds are
	// ten pacing ticks.
	var at *unix.Timespec
	if timeout > 0 {
		ts := unix.NsecToTimespec(int64(timeout))
		at = &ts
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(at)), 0, 0)
	return p.result(n, errno)
}

func (p *Poller) result(n uintptr, errno unix.Errno) ([]Event, error) {
	if errno != 0 {
		if errno == unix.EINTR {
			return nil, nil
		}
		if errno == unix.ENOSYS {
			return nil, fmt.Errorf("epoll_pwait2: %w (hdbench needs Linux 5.11 or later)", errno)
		}
		return nil, fmt.Errorf("epoll_wait: %w", errno)
	}
	evs := p.events[:n]
	for i := range evs {
		if evs[i].Fd == wakeSlot {
			evs[i] = evs[len(evs)-1]
			return evs[:len(evs)-1], nil
		}
	}
	return evs, nil
}

// Wake ends the current Wait, or the next one. Any thread may call it.
func (p *Poller) Wake() {
	one := [8]byte{1}
	// The counter saturates only after 2^64 wakes; EAGAIN cannot happen.
	unix.RawSyscall(unix.SYS_WRITE, uintptr(p.wake), uintptr(unsafe.Pointer(&one[0])), 8)
}
