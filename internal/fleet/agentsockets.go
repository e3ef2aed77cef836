package fleet

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

const (
	// socketMargin is how much further ahead of an edge a relay's sockets are read
	// than the reading should take: a busy host is late.
	socketMargin = 20 * time.Millisecond
	// socketCost bounds the readings: more than this share of the window's length is
	// not taken from whoever else needs the CPU.
	socketCost = 0.1
	// socketTries is how often a reading is timed: the shortest says what it costs,
	// the others what else the host did.
	socketTries = 3
)

// watchSockets reads a relay's connections twice for one window, and says what the
// kernel counted in between.
//
// Each reading is over when the window's edge comes: it delays none of the other
// readings, at the first edge it takes nothing from the window, and at the second
// the load is still under way, so that queues are those of the load. How long one
// takes is found out before.
func watchSockets(ctx context.Context, now func() int64, addr string, w windowRequest) <-chan *measure.SocketTimes {
	times := make(chan *measure.SocketTimes, 1)
	go func() {
		t, err := socketTimes(ctx, now, addr, w)
		if err != nil {
			t = &measure.SocketTimes{NA: err.Error()}
		}
		times <- t
	}()
	return times
}

// socketReading is a relay's connections at one time.
type socketReading struct {
	at      int64
	sockets map[probe.SocketCookie]probe.Socket
}

func socketTimes(ctx context.Context, now func() int64, addr string, w windowRequest) (*measure.SocketTimes, error) {
	relay, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("relay at %q: %w", addr, err)
	}
	took := time.Duration(math.MaxInt64)
	for range socketTries {
		tried := now()
		if _, err := probe.Established(relay); err != nil {
			return nil, err
		}
		took = min(took, time.Duration(now()-tried))
	}
	if length := time.Duration(w.EndNS - w.BeginNS); 2*float64(took) > socketCost*float64(length) {
		return nil, fmt.Errorf("reading its sockets takes %v, too long for a window of %v", took.Round(time.Microsecond), length)
	}
	ahead := 2*took + socketMargin
	read := func(edge int64) (r socketReading, err error) {
		select {
		case <-time.After(time.Duration(edge-now()) - ahead):
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
		if r.at = now(); r.at > w.EndNS { // the load has ended
			return r, fmt.Errorf("the host came to read them %v after the window", time.Duration(r.at-w.EndNS).Round(time.Microsecond))
		}
		r.sockets, err = probe.Established(relay)
		return r, err
	}
	begin, err := read(w.BeginNS)
	if err != nil {
		return nil, err
	}
	end, err := read(w.EndNS)
	if err != nil {
		return nil, err
	}
	t := socketsBetween(begin, end)
	if t.Connections == 0 {
		return nil, fmt.Errorf("the agent's network namespace has no connection at %s that lasted through the window", addr)
	}
	return t, nil
}

// socketsBetween adds up the connections that were there at both readings.
func socketsBetween(begin, end socketReading) *measure.SocketTimes {
	t := &measure.SocketTimes{Seconds: time.Duration(end.at - begin.at).Seconds()}
	for cookie, e := range end.sockets {
		b, ok := begin.sockets[cookie]
		if !ok {
			continue
		}
		t.Connections++
		t.BusyNS += int64(e.Busy - b.Busy)
		t.RwndLimitedNS += int64(e.RwndLimited - b.RwndLimited)
		t.SndbufLimitedNS += int64(e.SndbufLimited - b.SndbufLimited)
		t.UnreadBytes += int64(b.Unread) + int64(e.Unread)
		t.UnsentBytes += int64(b.Unsent) + int64(e.Unsent)
	}
	t.UnreadBytes /= 2
	t.UnsentBytes /= 2
	return t
}
