package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"hdbench/internal/probe"
)

// DefaultRelayWait is how long a relay may take to accept connections.
const DefaultRelayWait = 20 * time.Second

// errNotOurs means that a port is somebody else's, too.
var errNotOurs = errors.New("the port is not the relay's alone")

// waitAccepting waits until a relay accepts connections at addr, or its process has
// ended. Another process that accepts them there is not taken for it.
func waitAccepting(ctx context.Context, addr string, c *child, k *kin) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	var d net.Dialer
	var other error // who else accepts there
	for {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			conn.Close()
			var ours bool
			if ours, other = k.listens(at); ours {
				return other
			}
		}
		select {
		case <-c.ended:
			return fmt.Errorf("it ended after %v, before it accepted connections at %s: %w", time.Since(c.begun).Round(time.Millisecond), addr, c.failure())
		case <-ctx.Done():
			if other != nil {
				return other
			}
			return fmt.Errorf("it runs, and has not accepted connections at %s within %v%s", addr, time.Since(c.begun).Round(100*time.Millisecond), c.words())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// listens reports whether one of the kin listens at an address. The error is that
// somebody else does.
func (k *kin) listens(at netip.AddrPort) (bool, error) {
	inodes, err := probe.Listeners(at)
	if err != nil || len(inodes) == 0 {
		return true, err // in another network namespace, where we cannot look
	}
	pids, err := k.pids()
	if err != nil {
		return true, err
	}
	open, all := probe.Sockets(pids)
	ours := false
	for _, inode := range inodes {
		if open[inode] {
			ours = true
			continue
		}
		pid, name := probe.Holder(inode)
		switch {
		case pid == 0 && !all: // of one that does not show what it has open: the relay's
			ours = true
		case pid == 0:
			err = fmt.Errorf("%w: a process of another user listens at %s", errNotOurs, at)
		default:
			err = fmt.Errorf("%w: %s (process %d), which the relay's command has not started, listens at %s", errNotOurs, name, pid, at)
		}
	}
	if ours && err != nil {
		err = fmt.Errorf("%w too, and would take a part of the peers (SO_REUSEPORT); end it", err)
	}
	return ours, err
}

// stillListening says who listens at a relay's address when it has ended; empty if
// nobody does.
func stillListening(addr string) string {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	inodes, err := probe.Listeners(at)
	if err != nil || len(inodes) == 0 {
		return ""
	}
	who := "a process of another user"
	if pid, name := probe.Holder(inodes[0]); pid != 0 {
		who = fmt.Sprintf("%s (process %d)", name, pid)
	}
	return fmt.Sprintf("when it had ended %s still listened at %s", who, addr)
}
