package hosts

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Host is a host of the lab. What powers it on and off is not for several
// goroutines at once; all else is.
type Host struct {
	Name          string
	Control, Data netip.Addr // of its two links

	lab   *Lab
	clock time.Duration
	boots int // so far

	mu    sync.Mutex
	space *space // while it is up; guarded by mu
}

// boot is what makes new namespaces a host: its own view of the disk, its own
// /run, and its name.
const boot = `
name=$1
disk=` + disks + `/$name
for d in /etc /root /home /tmp /var/tmp; do mount --bind $disk$d $d; done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755,ro tmpfs ` + disks + `
mkdir -p /run/sshd /run/lock /run/user
chmod 1777 /run/lock
hostname $name
cd /
`

// PowerOn starts a host that is off: from its disk, with an empty /run.
func (h *Host) PowerOn(ctx context.Context) error {
	seconds := strconv.Itoa(int(h.clock / time.Second))
	s, err := startSpace(ctx, []string{
		"nsenter", "--target", strconv.Itoa(h.lab.sw.space.init), "--mount",
		"unshare", "--net", "--pid", "--mount", "--uts", "--ipc", "--time", "--monotonic", seconds, "--boottime", seconds,
		"--fork", "--kill-child", "--mount-proc",
	}, boot, h.Name)
	if err != nil {
		return fmt.Errorf("start host %s: %w", h.Name, err)
	}
	h.mu.Lock()
	h.space = s
	h.mu.Unlock()
	h.boots++
	if err := h.lab.sw.plug(ctx, h); err != nil {
		h.halt()
		return fmt.Errorf("connect host %s: %w", h.Name, err)
	}
	if err := h.startSSHD(ctx); err != nil {
		h.halt()
		return fmt.Errorf("sshd of host %s: %w", h.Name, err)
	}
	return nil
}

// SetClock sets how far ahead the host's CLOCK_MONOTONIC will be when it is next
// powered on, in whole seconds.
func (h *Host) SetClock(ahead time.Duration) { h.clock = ahead }

// PowerOff ends the host as a power cut does: nobody hears of it. It is off
// when it returns.
func (h *Host) PowerOff(ctx context.Context) error {
	// The links go first, so that no closing connection can say goodbye.
	for _, n := range []Network{Control, Data} {
		if err := h.Cut(ctx, n); err != nil {
			return err
		}
	}
	h.halt()
	return nil
}

// Off reports whether the host has no power.
func (h *Host) Off() bool { return h.up() == nil }

// up is the host's namespaces; nil if it is off.
func (h *Host) up() *space {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.space
}

func (h *Host) halt() {
	h.mu.Lock()
	s := h.space
	h.space = nil
	h.mu.Unlock()
	if s != nil {
		s.end()
	}
}

// Path is where this process finds a file of the host's disk, whether the host is
// up or not. Of /run and /dev/shm there is none.
func (h *Host) Path(path string) string {
	for _, d := range []string{"/etc/", "/root/", "/home/", "/tmp/", "/var/tmp/"} {
		if strings.HasPrefix(path+"/", d) {
			return h.lab.sw.disk(h.Name, path)
		}
	}
	panic("hosts: " + path + " is not on a host's disk") // a test's mistake
}

// Home is a user's home, root's or User's, in the host.
func Home(user string) string {
	if user == "root" {
		return "/root"
	}
	return "/home/" + user
}
