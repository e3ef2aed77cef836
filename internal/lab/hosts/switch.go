package hosts

import (
	"context"
	"fmt"
	"strconv"
)

// Network is one of the lab's two.
type Network string

// The networks, by the name of their interface in every host.
const (
	Control Network = "eth0"
	Data    Network = "eth1"
)

// netswitch is a namespace with a bridge for each network. Its mounts have the
// hosts' disks, in memory, which each host sees in its own places.
type netswitch struct{ space *space }

const disks = "/mnt" // in the switch's mounts

func startSwitch(ctx context.Context) (*netswitch, error) {
	s, err := startSpace(ctx, []string{"unshare", "--net", "--mount", "--fork", "--kill-child"}, `
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs `+disks+`
for b in eth0 eth1; do
  ip link add name br-$b type bridge
  ip link set br-$b up
done`)
	if err != nil {
		return nil, err
	}
	return &netswitch{s}, nil
}

// ip runs ip in the switch, a command a line.
func (s *netswitch) ip(ctx context.Context, lines string) error {
	return run(ctx, lines, "nsenter", "--target", strconv.Itoa(s.space.init), "--net", "ip", "-batch", "-")
}

// disk is where this process finds what is at path of a host's disk.
func (s *netswitch) disk(host, path string) string {
	return fmt.Sprintf("/proc/%d/root%s/%s%s", s.space.init, disks, host, path)
}

// port is the name of the switch's end of a host's link. Each time the host is
// powered on it has others: the kernel takes the old ones away when it gets to it.
func port(h *Host, n Network) string {
	return fmt.Sprintf("%c%d-%s", n[len(n)-1], h.boots, h.Name)
}

// mac is the address of a host's link, the same each time it is powered on.
func mac(h *Host, n Network) string {
	ip := h.Control.As4()
	if n == Data {
		ip = h.Data.As4()
	}
	return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", ip[0], ip[1], ip[2], ip[3])
}

// plug gives a host its links.
func (s *netswitch) plug(ctx context.Context, h *Host) error {
	var lines string
	for _, n := range []Network{Control, Data} {
		lines += fmt.Sprintf("link add name %s type veth peer name %s address %s netns %d\n", port(h, n), n, mac(h, n), h.space.init)
		lines += fmt.Sprintf("link set %s master br-%s up\n", port(h, n), n)
	}
	if err := s.ip(ctx, lines); err != nil {
		return err
	}
	return run(ctx, fmt.Sprintf(`link set lo up
addr add %s/24 dev eth0
addr add %s/24 dev eth1
link set eth0 up
link set eth1 up
`, h.Control, h.Data), "nsenter", "--target", strconv.Itoa(h.space.init), "--net", "ip", "-batch", "-")
}

// Cut takes the host's link to a network out of the switch. The host is not told:
// its interface stays up, and nothing arrives any more in either direction.
func (h *Host) Cut(ctx context.Context, n Network) error {
	return h.lab.sw.ip(ctx, fmt.Sprintf("link set %s nomaster\n", port(h, n)))
}

// Restore puts the host's link back.
func (h *Host) Restore(ctx context.Context, n Network) error {
	return h.lab.sw.ip(ctx, fmt.Sprintf("link set %s master br-%s\n", port(h, n), n))
}
