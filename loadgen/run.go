package loadgen

import (
	"context"
	"fmt"
	"time"

	"hdbench/internal/measure"
)

// timeline is when a run does what, in CLOCK_MONOTONIC ns.
type timeline struct {
	start     int64 // first packet
	begin     int64 // window
	end       int64 // window; no packet is sent after it
	drainedBy int64 // what has not arrived by then is lost
}

// Run sends a whole load, starting at the CLOCK_MONOTONIC time start (ns), and
// returns what was measured. It takes warm-up, window and drain.
func (s *Session) Run(ctx context.Context, start int64) (*measure.Load, error) {
	if s.cfg.Part.split() {
		return nil, fmt.Errorf("run: part %v of a load ends with the others: drain it, then settle it", s.cfg.Part)
	}
	tl, err := s.begin(start)
	if err != nil {
		return nil, err
	}
	if err := s.waitThreads(ctx); err != nil {
		return nil, err
	}
	return s.result(tl)
}

// Drain sends a part of a load, starting at the CLOCK_MONOTONIC time start (ns),
// until what it has sent has been acknowledged by the receivers or the drain is
// over. It returns which packets its flows sent inside the window; the parts with
// the receivers need them to count the loss. The part goes on acknowledging what
// others send until it is settled.
func (s *Session) Drain(ctx context.Context, start int64) ([]measure.FlowWindow, error) {
	tl, err := s.begin(start)
	if err != nil {
		return nil, err
	}
	// The windows may be read when every thread has passed the end of its own.
	over := time.NewTimer(time.Duration(tl.drainedBy - s.clock.Now()))
	defer over.Stop()
	for _, c := range []struct {
		done <-chan struct{}
		late <-chan time.Time
	}{{s.stopped, nil}, {s.drained, over.C}} {
		select {
		case <-c.done:
		case <-c.late:
		case <-s.broken:
			return nil, s.failure()
		case <-ctx.Done():
			s.fail(context.Cause(ctx))
			return nil, s.failure()
		}
	}
	windows := []measure.FlowWindow{}
	for _, f := range s.flows {
		if h := f.send; h != nil {
			windows = append(windows, measure.FlowWindow{Flow: f.id, First: h.windowFirst, End: h.windowEnd})
		}
	}
	return windows, nil
}

// Settle ends a part that Drain has drained, when all others are drained too, and
// returns what it measured: what its flows sent and what arrived here. windows are
// those of all parts.
func (s *Session) Settle(ctx context.Context, windows []measure.FlowWindow) (*measure.Load, error) {
	if err := s.takeWindows(windows); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	s.settledAt.Store(s.clock.Now())
	s.wake()
	if err := s.waitThreads(ctx); err != nil {
		return nil, err
	}
	return s.result(s.times.Load())
}

// takeWindows gives every flow that ends here the window of its sender.
func (s *Session) takeWindows(windows []measure.FlowWindow) error {
	known := make([]bool, len(s.flows))
	for _, w := range windows {
		if int(w.Flow) >= len(s.flows) || known[w.Flow] || w.End < w.First || w.End > maxSeq {
			return fmt.Errorf("window of flow %d, packets %d to %d: of no such flow, or given twice", w.Flow, w.First, w.End)
		}
		known[w.Flow] = true
		if r := s.flows[w.Flow].recv; r != nil {
			r.windowFirst, r.windowEnd = w.First, w.End
		}
	}
	for i, f := range s.flows {
		if f.recv != nil && !known[i] {
			return fmt.Errorf("flow %d ends here and its window is missing", i)
		}
	}
	return nil
}

func (s *Session) begin(start int64) (*timeline, error) {
	c := &s.cfg
	tl := &timeline{start: start}
	tl.begin = start + int64(c.Warmup)
	tl.end = tl.begin + int64(c.Measure)
	tl.drainedBy = tl.end + int64(c.Drain)
	if now := s.clock.Now(); now > start {
		return nil, fmt.Errorf("the start time has passed by %v", ns(now-start))
	}
	s.times.Store(tl)
	s.phase.Store(int32(phaseRun))
	s.wake()
	return tl, nil
}

// waitThreads waits until the threads have ended by themselves.
func (s *Session) waitThreads(ctx context.Context) error {
	finished := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		s.fail(context.Cause(ctx))
		<-finished
	}
	return s.failure()
}
