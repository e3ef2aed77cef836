package line

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// sending is how one stream's sending went, by the sender's kernel.
type sending struct {
	Retransmits uint64 `json:"retransmits"`
	MSS         int    `json:"mss"`
	PathMTU     int    `json:"path_mtu"`
	MTU         int    `json:"mtu"`
	Congestion  string `json:"congestion"`
}

// howSent asks the kernel (TCP_INFO, tcp(7)).
func howSent(c *net.TCPConn) (sending, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return sending{}, err
	}
	var s sending
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			failed = fmt.Errorf("TCP_INFO: %w", err)
			return
		}
		s.Retransmits, s.MSS, s.PathMTU = uint64(info.Total_retrans), int(info.Snd_mss), int(info.Pmtu)
		if s.Congestion, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION); err != nil {
			failed = fmt.Errorf("TCP_CONGESTION: %w", err)
		}
	})
	s.MTU = interfaceMTU(c.LocalAddr())
	return s, errors.Join(err, failed)
}

// interfaceMTU is the MTU of the interface that has an address; 0 if none has.
func interfaceMTU(a net.Addr) int {
	local, ok := a.(*net.TCPAddr)
	if !ok {
		return 0
	}
	all, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(local.IP) {
				return i.MTU
			}
		}
	}
	return 0
}
