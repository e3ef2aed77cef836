package fleet

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/measure"
)

// Client is a host that sends a load, or its share of one.
type Client struct {
	Host *Host
	CPUs string // of its threads
	// Pairs is the flows of a load without a relay, which each host sends for
	// itself; through a relay the parts share the load's.
	Pairs int
}

// Load is a load that is ready to run on its clients. With several, each has a
// part of it; all of them have reached the receivers on the others.
type Load struct {
	id      string
	direct  bool
	clients []Client
}

// cancelTimeout bounds the ending of a load that is not wanted any more.
const cancelTimeout = 10 * time.Second

// PrepareLoad connects and registers a load's peers on its clients. Either all of
// them are ready, or nothing is left behind.
func PrepareLoad(ctx context.Context, spec LoadSpec, clients ...Client) (*Load, error) {
	if len(clients) == 0 {
		return nil, errors.New("prepare a load: no client host")
	}
	spec.ID = "load-" + rand.Text()
	l := &Load{id: spec.ID, direct: spec.Direct, clients: clients}
	if l.split() {
		var b [8]byte
		rand.Read(b[:]) // crypto/rand does not fail
		spec.Run = binary.LittleEndian.Uint64(b[:]) | 1
		first := clients[0].Host
		spec.OneClock = !slices.ContainsFunc(clients, func(c Client) bool { return !c.Host.SameClock(first) })
	}
	err := l.each(ctx, func(ctx context.Context, i int, c Client) error {
		s := spec
		s.CPUs = c.CPUs
		switch {
		case l.split():
			s.Part = fmt.Sprintf("%d/%d", i+1, len(clients))
		case s.Direct && len(clients) > 1:
			s.Pairs = c.Pairs
		}
		var ref loadRef
		return c.Host.call(ctx, verbLoadPrepare, s, &ref)
	})
	if err != nil {
		return nil, errors.Join(err, l.Cancel(ctx))
	}
	return l, nil
}

// split reports whether the clients share one load.
func (l *Load) split() bool { return len(l.clients) > 1 && !l.direct }

// each does something on every client at once. The first failure ends the waiting
// for the others.
func (l *Load) each(ctx context.Context, do func(context.Context, int, Client) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range l.clients {
		g.Go(func() error { return do(ctx, i, c) })
	}
	return g.Wait()
}

// Run starts the load at a time of the controller's clock and returns what it
// measured. Parts end together: only when everything of all has arrived, or the
// drain is over, is anything counted.
func (l *Load) Run(ctx context.Context, start int64) (*measure.Load, error) {
	parts := make([]measure.LoadPart, len(l.clients))
	for i, c := range l.clients {
		parts[i].Host = measure.ClientHost{Agent: c.Host.member.Agent, Host: c.Host.Info().Name, Machine: c.Host.machine(), CPUs: c.CPUs}
		parts[i].Load = new(measure.Load)
	}
	var err error
	if l.split() {
		err = l.runParts(ctx, start, parts)
	} else {
		err = l.each(ctx, func(ctx context.Context, i int, c Client) error {
			return c.Host.call(ctx, verbLoadRun, loadRunRequest{l.id, c.Host.local(start)}, parts[i].Load)
		})
	}
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 {
		return parts[0].Load, nil
	}
	return measure.MergeLoads(parts)
}

func (l *Load) runParts(ctx context.Context, start int64, parts []measure.LoadPart) error {
	sent := make([]LoadWindows, len(parts))
	err := l.each(ctx, func(ctx context.Context, i int, c Client) error {
		return c.Host.call(ctx, verbLoadDrain, loadRunRequest{l.id, c.Host.local(start)}, &sent[i])
	})
	if err != nil {
		return err
	}
	all := loadSettleRequest{ID: l.id}
	for i, w := range sent {
		parts[i].Host.SendFlows = len(w.Windows)
		all.Windows = append(all.Windows, w.Windows...)
	}
	return l.each(ctx, func(ctx context.Context, i int, c Client) error {
		return c.Host.call(ctx, verbLoadSettle, all, parts[i].Load)
	})
}

// Cancel ends a load that is not to be run, or not to its end.
func (l *Load) Cancel(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	var errs []error
	for _, c := range l.clients {
		// Whose agent has gone has ended its load.
		if err := c.Host.call(ctx, verbLoadCancel, loadRef{l.id}, nil); err != nil && !errors.Is(err, ErrAgentGone) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
