// Package fleet is the hosts a sweep runs on: a controller that gives orders, an
// agent on each host that carries them out, and the control plane between them.
//
// Agents are NATS services. By default the controller runs an embedded
// nats-server that opens no port, and starts the agents itself: as children on
// this host, through the system's ssh on another, where it has put its own binary
// by content hash. Either way an agent's connection is its standard input and
// output, and its credential is made for the run. With a nats-server of the
// user's own it finds agents that somebody else has started.
//
// An agent starts relays and loads as its own children, each a process of its own
// on its own CPUs, and samples what the relay uses. Nothing here assumes one host:
// addresses, clocks and files are all the agent's, and times are CLOCK_MONOTONIC
// of the agent's host, converted by an offset that is measured.
//
// An agent is a lease, held by one controller. When the controller or the
// connection to it has gone, the agent ends its children and removes its files; if
// the controller has started it, it exits. If it is killed itself, the kernel ends
// its children (PDEATHSIG).
//
// It knows nothing of scenarios or results: orders flow down, measurements flow
// up.
package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"hdbench/internal/mono"
)

// Fleet is the controller's side.
type Fleet struct {
	o     Options
	id    string  // of this controller: what its leases are held under
	srv   *server // nil with a nats-server of the user's own
	nc    *nats.Conn
	clock mono.Clock
	spawn *spawner
	hosts []*Host
	links links
}

// Options say how to boot a fleet.
type Options struct {
	Members []Member // whose agents are started, here or over ssh
	Purpose string   // for those who find a host in use: what it is used for
	Binary  string   // hdbench, to be run as "BINARY agent"
	Version string   // of it, which the agents must have too; empty: any
	SSH     SSH
	// NATS is a nats-server of the user's own, where agents are found instead of
	// started; nil: the embedded one.
	NATS *External
	// Log gets what the user should know of the hosts, a line at a time; nil: nobody.
	Log func(string)
}

// bootTimeout bounds an agent's way from being started to answering.
const bootTimeout = 20 * time.Second

// Start boots the control plane and the agents.
func Start(ctx context.Context, o Options) (_ *Fleet, err error) {
	if err := checkMembers(o.Members); err != nil {
		return nil, err
	}
	if o.NATS != nil {
		return join(ctx, o)
	}
	var names []string
	for _, m := range o.Members {
		names = append(names, m.Agent)
	}
	f, err := embedded(o, names)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	for _, m := range o.Members {
		f.hosts = append(f.hosts, &Host{fleet: f, member: m})
	}
	// Hosts are slow to reach, so all at once; the first that fails ends the rest.
	group, gctx := errgroup.WithContext(ctx)
	for _, h := range f.hosts {
		group.Go(func() error { return h.boot(gctx) })
	}
	return f, group.Wait()
}

// embedded is a fleet without hosts, whose server knows these agents.
func embedded(o Options, agents []string) (*Fleet, error) {
	f := newFleet(o)
	var err error
	if f.srv, err = startServer(agents); err != nil {
		return nil, err
	}
	if f.nc, err = f.srv.connect(); err != nil {
		f.srv.close()
		return nil, err
	}
	return f, nil
}

func newFleet(o Options) *Fleet {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return &Fleet{o: o, id: rand.Text(), clock: mono.New(), spawn: newSpawner()}
}

// Now is the controller's CLOCK_MONOTONIC in nanoseconds.
func (f *Fleet) Now() int64 { return f.clock.Now() }

// who tells people which controller this is.
func (f *Fleet) who() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	text := fmt.Sprintf("%s@%s, process %d", name, host, os.Getpid())
	if f.o.Purpose != "" {
		text += ", " + f.o.Purpose
	}
	return text[:min(len(text), maxWho)]
}

// Close ends the agents it has started, gives back the others, and ends the
// control plane.
func (f *Fleet) Close() {
	var wg sync.WaitGroup
	for _, h := range f.hosts {
		wg.Go(h.close)
	}
	wg.Wait()
	f.links.close()
	if f.nc != nil {
		f.nc.Close()
	}
	if f.srv != nil {
		f.srv.close()
	}
}
