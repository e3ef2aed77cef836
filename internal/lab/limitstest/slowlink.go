package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/hosts"
)

// The link's packets are as large as an Ethernet's. Its queue holds what is under
// way, and drops what is more.
const (
	slowMTU   = 1500
	slowQueue = 8192
)

// slowLink is a link between two hosts that takes its time: a tun device on either
// side, and between them this program, which hands each packet on when it has waited.
// No kernel module is needed for it.
type slowLink struct{ ends []*os.File }

// newSlowLink makes the link, its interface "slow" on either side.
func newSlowLink(a, b *hosts.Host, delay time.Duration) (*slowLink, error) {
	l := &slowLink{}
	for _, h := range []*hosts.Host{a, b} {
		f, err := tunIn(h.NetNS())
		if err != nil {
			l.close()
			return nil, fmt.Errorf("a slow link at host %s: %w", h.Name, err)
		}
		l.ends = append(l.ends, f)
	}
	go carry(l.ends[0], l.ends[1], delay)
	go carry(l.ends[1], l.ends[0], delay)
	return l, nil
}

func (l *slowLink) close() {
	for _, f := range l.ends {
		f.Close() // and with it the interface
	}
}

// tunIn makes an interface in a network.
func tunIn(netns string) (*os.File, error) {
	type made struct {
		f   *os.File
		err error
	}
	c := make(chan made)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its network
		f, err := tun(netns)
		c <- made{f, err}
	}()
	m := <-c
	return m.f, m.err
}

func tun(netns string) (*os.File, error) {
	ns, err := os.Open(netns)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("setns %s: %w", netns, err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq("slow")
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(req))); no != 0 {
		unix.Close(fd)
		return nil, fmt.Errorf("TUNSETIFF: %w", no)
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}

type packet struct {
	b   []byte
	due time.Time
}

// carry takes packets from one side to the other until either is closed.
func carry(from, to *os.File, delay time.Duration) {
	queue := make(chan packet, slowQueue)
	free := make(chan []byte, slowQueue)
	go func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.b) // a packet may be lost
			select {
			case free <- p.b[:cap(p.b)]:
			default:
			}
		}
	}()
	defer close(queue)
	for {
		var b []byte
		select {
		case b = <-free:
		default:
			b = make([]byte, slowMTU)
		}
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case queue <- packet{b[:n], time.Now().Add(delay)}:
		default: // full
		}
	}
}
