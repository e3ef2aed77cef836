package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// args are the flags of "hdbench load" or "hdbench calibrate" for a load.
func (s LoadSpec) args() []string {
	cmd := []string{"load", "--relay", s.Relay}
	if s.Direct {
		cmd = []string{"calibrate"}
	}
	args := append(cmd,
		"--transport", s.Transport, "--pattern", s.Pattern,
		"--pairs", strconv.Itoa(s.Pairs), "--payload", strconv.Itoa(s.Payload)+"B",
		"--rate", s.Rate, "--burst", s.Burst, "--tick", s.Tick.String(),
		"--warmup", s.Warmup.String(), "--measure", s.Measure.String(), "--drain", s.Drain.String(),
		"--cpus", s.CPUs, "--seed", strconv.FormatUint(s.Seed, 10),
		"--format", "json", "--await-start")
	if s.RTT {
		args = append(args, "--rtt")
	}
	if s.Congestion != "" {
		args = append(args, "--congestion", s.Congestion)
	}
	if s.FramesPerRecord > 0 {
		args = append(args, "--frames-per-record", strconv.Itoa(s.FramesPerRecord))
	}
	if s.Part != "" {
		args = append(args, "--part", s.Part, "--run", strconv.FormatUint(s.Run, 10))
		if s.OneClock {
			args = append(args, "--one-clock")
		}
	}
	return args
}

// maxLoadID bounds the name a controller gives a load.
const maxLoadID = 64

func (a *agent) prepareLoad(ctx context.Context, s LoadSpec) (loadRef, error) {
	set, err := cpu.ParseList(s.CPUs)
	if err != nil {
		return loadRef{}, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	if s.ID == "" || len(s.ID) > maxLoadID {
		return loadRef{}, fmt.Errorf("%w: a load without a name, or with one of over %d characters", errBadRequest, maxLoadID)
	}
	c, err := startChild(a.spawn, set, unix.SIGKILL, nil, append([]string{a.cfg.Binary}, s.args()...)...)
	if err != nil {
		return loadRef{}, err
	}
	if err := a.keepLoad(ctx, s.ID, c); err != nil {
		go c.stop(0)
		return loadRef{}, err
	}
	// The load says when its peers are connected and registered.
	if _, err := c.line(); err != nil {
		a.dropLoad(s.ID)
		return loadRef{}, fmt.Errorf("load: %w", err)
	}
	return loadRef{s.ID}, nil
}

var errClosing = errors.New("the agent is ending, or its lease is, or it has too much to do")

// runLoad runs a whole load to its end.
func (a *agent) runLoad(_ context.Context, r loadRunRequest) (*measure.Load, error) {
	defer a.dropLoad(r.ID)
	m := new(measure.Load)
	return m, a.tell(r.ID, strconv.FormatInt(r.StartNS, 10), m)
}

// drainLoad runs a part of a load until what it sent has arrived, or has had its
// time. The part then waits to be settled.
func (a *agent) drainLoad(_ context.Context, r loadRunRequest) (LoadWindows, error) {
	var w LoadWindows
	err := a.tell(r.ID, strconv.FormatInt(r.StartNS, 10), &w)
	if err != nil {
		a.dropLoad(r.ID)
	}
	return w, err
}

// settleLoad ends a part of a load when all parts are drained.
func (a *agent) settleLoad(_ context.Context, r loadSettleRequest) (*measure.Load, error) {
	defer a.dropLoad(r.ID)
	line, err := json.Marshal(r.LoadWindows)
	if err != nil {
		return nil, err
	}
	m := new(measure.Load)
	return m, a.tell(r.ID, string(line), m)
}

// tell gives a load a line and reads its answer, a line of JSON.
func (a *agent) tell(id, line string, answer any) error {
	c, err := a.load(id)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		<-c.ended
		return fmt.Errorf("load: %w", c.failure())
	}
	b, err := c.line()
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("load: its answer: %w", err)
	}
	return nil
}

// cancelLoad ends a load. One that is not there yet is ended when it comes: the
// order to prepare it may be under way.
func (a *agent) cancelLoad(_ context.Context, r loadRef) (struct{}, error) {
	a.mu.Lock()
	if a.loads != nil && a.loads[r.ID] == nil && len(r.ID) <= maxLoadID {
		a.loads[r.ID] = nil
		a.mu.Unlock()
		return struct{}{}, nil
	}
	a.mu.Unlock()
	a.dropLoad(r.ID)
	return struct{}{}, nil
}

// errCancelled means that a load was cancelled before it was there.
var errCancelled = errors.New("the load was cancelled")

func (a *agent) keepLoad(ctx context.Context, id string, c *child) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	there, known := a.loads[id]
	switch {
	case a.closed || ctx.Err() != nil || len(a.loads) >= maxChildren:
		return errClosing
	case there != nil:
		return fmt.Errorf("%w: there is a load %q already", errBadRequest, id)
	case known:
		delete(a.loads, id)
		return errCancelled
	}
	a.loads[id] = c
	return nil
}

func (a *agent) load(id string) (*child, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.loads[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: no load %q", errBadRequest, id)
}

// dropLoad ends a load, if it is still there.
func (a *agent) dropLoad(id string) {
	a.mu.Lock()
	c := a.loads[id]
	delete(a.loads, id)
	a.mu.Unlock()
	if c != nil {
		c.stop(0)
	}
}
