package perf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Group counts events of a process: of all its threads, and of every thread and
// process that those start while it counts.
//
// Each thread has a counter of its own, which its heirs inherit: what they count
// is in the reading of whom they descend from, while they live and afterwards.
// So a thread that is attached to twice would count twice, and one that is
// missed not at all: Attach goes on until neither can be.
type Group struct {
	Threads int // attached to
	events  []*counted
}

// counted is one event of a group.
type counted struct {
	event   Event
	scope   Scope
	threads [][]reader // by thread; several on a machine with several kinds of core
	refused error
}

// reader is a Counter, or a test's.
type reader interface {
	Read() (Reading, error)
	Close() error
}

// opener opens a counter of a thread, inherited by what it starts.
type opener func(e Event, scope Scope, tid int) (reader, error)

// ErrUnsettled: threads come and go faster than they can be attached to.
var ErrUnsettled = errors.New("threads come and go faster than counters can be attached to them")

// attachTries is how often Attach begins anew.
const attachTries = 20

// Attach attaches counters to the threads that list names. It opens a counter on
// every thread and lists them again: if none is new, each is attached to once, and
// whatever is started from now on descends from one that is. Otherwise a new
// one may have inherited a counter or not; we cannot tell, so we start over.
//
// An event that cannot be counted is refused on its own; Between says why. The
// error is about all of them: no threads, or ErrUnsettled, or ctx is done.
func Attach(ctx context.Context, events []Event, list func() ([]int, error)) (*Group, error) {
	pmus := FindPMUs(os.DirFS("/sys"))
	return attach(ctx, events, list, pmus, func(e Event, scope Scope, tid int) (reader, error) {
		return OpenCounter(e, scope, tid, true)
	})
}

func attach(ctx context.Context, events []Event, list func() ([]int, error), pmus PMUs, open opener) (*Group, error) {
	before, err := list()
	for range attachTries {
		if err != nil {
			return nil, err
		}
		g := &Group{Threads: len(before)}
		for _, e := range events {
			g.events = append(g.events, openEvent(ctx, e, before, pmus, open))
		}
		if ctx.Err() != nil {
			g.Close()
			return nil, fmt.Errorf("attach counters to %d threads: %w", len(before), context.Cause(ctx))
		}
		var after []int
		if after, err = list(); err != nil {
			g.Close()
			return nil, err
		}
		if !anyNew(before, after) {
			return g, nil
		}
		g.Close()
		before = after
	}
	return nil, ErrUnsettled
}

func anyNew(before, after []int) bool {
	known := make(map[int]bool, len(before))
	for _, tid := range before {
		known[tid] = true
	}
	return slices.ContainsFunc(after, func(tid int) bool { return !known[tid] })
}

// openEvent opens an event on every thread: everywhere, or if that is forbidden
// in user space.
func openEvent(ctx context.Context, e Event, tids []int, pmus PMUs, open opener) *counted {
	c := &counted{event: e}
	err := c.open(ctx, tids, pmus, open)
	if errors.Is(err, ErrNotPermitted) && !inKernel(e) {
		c.scope = UserOnly
		err = c.open(ctx, tids, pmus, open)
	}
	c.refused = err
	return c
}

// inKernel is whether an event happens in the kernel even when user space causes
// it: counted in user space only it would read 0, since its sample is the kernel's
// (perf_sw_event_sched in include/linux/perf_event.h).
func inKernel(e Event) bool { return e == ContextSwitches || e == Migrations }

func (c *counted) open(ctx context.Context, tids []int, pmus PMUs, open opener) error {
	for _, tid := range tids {
		if ctx.Err() != nil {
			return context.Cause(ctx) // Attach sees it too
		}
		var kinds []reader
		for _, e := range pmus.On(c.event) {
			r, err := open(e, c.scope, tid)
			if err == nil {
				kinds = append(kinds, r)
				continue
			}
			closeAll(kinds)
			kinds = nil
			if errors.Is(err, ErrNoProcess) {
				break // it has ended: nothing of the window is its
			}
			c.close()
			return err
		}
		if len(kinds) > 0 {
			c.threads = append(c.threads, kinds)
		}
	}
	if len(c.threads) == 0 {
		return fmt.Errorf("count %s: %w", c.event.Name, ErrNoProcess)
	}
	return nil
}

func (c *counted) close() {
	for _, kinds := range c.threads {
		closeAll(kinds)
	}
	c.threads = nil
}

func closeAll(rs []reader) {
	for _, r := range rs {
		_ = r.Close() // of a descriptor that was only read
	}
}

// Close ends the counting.
func (g *Group) Close() {
	for _, c := range g.events {
		c.close()
	}
}

// Snapshot is one reading of every counter of a group.
type Snapshot struct{ events []eventSnapshot }

type eventSnapshot struct {
	threads [][]Reading
	err     error
}

// Read reads every counter.
func (g *Group) Read() Snapshot {
	var s Snapshot
	for _, c := range g.events {
		s.events = append(s.events, c.read())
	}
	return s
}

func (c *counted) read() (s eventSnapshot) {
	for _, kinds := range c.threads {
		var rs []Reading
		for _, k := range kinds {
			r, err := k.Read()
			if err != nil {
				return eventSnapshot{err: err}
			}
			rs = append(rs, r)
		}
		s.threads = append(s.threads, rs)
	}
	return s
}

// Between makes numbers of two readings of the group, one for each event asked
// for, in that order.
func (g *Group) Between(begin, end Snapshot) []Span {
	var spans []Span
	for i, c := range g.events {
		s := Span{Event: c.event, Scope: c.scope, Err: c.refused}
		if s.Err == nil {
			s.Err = errors.Join(begin.events[i].err, end.events[i].err)
		}
		if s.Err == nil {
			s.count(begin.events[i].threads, end.events[i].threads)
		}
		spans = append(spans, s)
	}
	return spans
}
