// Package hosts makes a room of hosts on this machine, for tests of sweeps over
// several: Linux namespaces, each with its own network, processes, files, name and
// users, and a real sshd.
//
// Every host has two links: eth0 to the control network and eth1 to the data
// network, each a bridge with its own subnet. Any host can play the controller:
// root, and the user who is not, can log in from each to each by its name ("ssh
// relay", or "ssh bench@relay" for who is not root), with an ssh_config, a key and
// known_hosts in their home as a user would have them. A host's disk (/root, /home, /tmp, /var/tmp,
// /etc) lives as long as the lab, /run and /dev/shm as long as the host is up.
//
// In go the hosts' names; out come commands run in them, what they left behind
// and the bytes that went over each network. Links can be cut and hosts lose their
// power, as real ones do: nobody is told.
//
// Nothing is made outside of the lab's namespaces, which are nameless: no bridge,
// link, mount or file of this machine's. They end with the process that made
// them, however it ends (PDEATHSIG), so there is nothing to be cleaned up.
//
// It is for tests, and needs root. Nothing of hdbench imports it.
package hosts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"time"
)

// User is the user of every host who is not root.
const User = "bench"

// Spec is a host to be made.
type Spec struct {
	Name string // 1 to 8 small letters and digits
	// Clock is how far ahead of this machine's the host's CLOCK_MONOTONIC is, in
	// whole seconds.
	Clock time.Duration
}

// Lab is a room of hosts.
type Lab struct {
	sw    *netswitch
	keys  *keys
	hosts []*Host
}

// hostName is what fits into the name of a link. The keys have a place of their own.
var hostName = regexp.MustCompile(`^[a-z][a-z0-9]{0,7}$`)

// maxHosts is how many addresses a network has for them.
const maxHosts = 200

// ErrNotRoot means that a lab cannot be made by who is not root.
var ErrNotRoot = errors.New("the lab's hosts are namespaces with links between them, which only root can make; run the test as root, or in a container or a virtual machine where you are")

// New makes a lab with these hosts and starts them.
func New(ctx context.Context, specs ...Spec) (_ *Lab, err error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	for _, program := range []string{"ip", "sshd", "ssh-keygen", "unshare", "nsenter", "setpriv"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("the lab's hosts need %s (Debian: iproute2, openssh-server, openssh-client, util-linux; scripts/setup.sh sshd ip installs them): %w", program, err)
		}
	}
	for _, s := range specs {
		if !hostName.MatchString(s.Name) || s.Name == "keys" {
			return nil, fmt.Errorf("host %q: want a word of 1 to 8 small letters and digits, not keys", s.Name)
		}
	}
	if len(specs) > maxHosts {
		return nil, fmt.Errorf("%d hosts: a network of the lab has room for %d", len(specs), maxHosts)
	}
	l := &Lab{}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.sw, err = startSwitch(ctx); err != nil {
		return nil, fmt.Errorf("the lab's networks: %w", err)
	}
	if l.keys, err = makeKeys(ctx, l.sw.disk("keys", ""), specs); err != nil {
		return nil, fmt.Errorf("the lab's keys: %w", err)
	}
	for i, s := range specs {
		h := &Host{
			Name: s.Name, lab: l, clock: s.Clock,
			Control: netip.AddrFrom4([4]byte{10, 77, 0, byte(10 + i)}),
			Data:    netip.AddrFrom4([4]byte{10, 88, 0, byte(10 + i)}),
		}
		l.hosts = append(l.hosts, h)
	}
	for _, h := range l.hosts { // each knows the names of all
		if err := h.install(ctx); err != nil {
			return nil, fmt.Errorf("install host %s: %w", h.Name, err)
		}
	}
	for _, h := range l.hosts {
		if err := h.PowerOn(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Hosts are the hosts, in the order they were asked for.
func (l *Lab) Hosts() []*Host { return slices.Clone(l.hosts) }

// Host is the host of this name; nil if there is none.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// Close ends all that runs in the lab, and the lab.
func (l *Lab) Close() {
	for _, h := range l.hosts {
		h.halt()
	}
	if l.sw != nil {
		l.sw.space.end()
	}
}
