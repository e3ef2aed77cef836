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
	return args
}

func (a *agent) prepareLoad(ctx context.Context, s LoadSpec) (loadRef, error) {
	set, err := cpu.ParseList(s.CPUs)
	if err != nil {
		return loadRef{}, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	id := a.newID("load")
	c, err := startChild(a.spawn, set, unix.SIGKILL, nil, append([]string{a.cfg.Binary}, s.args()...)...)
	if err != nil {
		return loadRef{}, err
	}
	if !a.keepLoad(ctx, id, c) {
		return loadRef{}, errClosing
	}
	// The load says when its peers are connected and registered.
	if _, err := c.line(); err != nil {
		a.dropLoad(id)
		return loadRef{}, fmt.Errorf("load: %w", err)
	}
	return loadRef{id}, nil
}

var errClosing = errors.New("the agent is ending, or its lease is, or it has too much to do")

func (a *agent) runLoad(_ context.Context, r loadRunRequest) (*measure.Load, error) {
	c, err := a.load(r.ID)
	if err != nil {
		return nil, err
	}
	defer a.dropLoad(r.ID)
	if _, err := fmt.Fprintf(c.stdin, "%d\n", r.StartNS); err != nil {
		<-c.ended
		return nil, fmt.Errorf("load: %w", c.failure())
	}
	line, err := c.line()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	m := new(measure.Load)
	if err := json.Unmarshal(line, m); err != nil {
		return nil, fmt.Errorf("load: result: %w", err)
	}
	return m, nil
}

func (a *agent) cancelLoad(_ context.Context, r loadRef) (struct{}, error) {
	a.dropLoad(r.ID)
	return struct{}{}, nil
}

func (a *agent) keepLoad(ctx context.Context, id string, c *child) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || ctx.Err() != nil || len(a.loads) >= maxChildren {
		go c.stop(0)
		return false
	}
	a.loads[id] = c
	return true
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
