package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results"
)

// windows are the times of one measurement.
type windows struct{ warmup, measure, drain time.Duration }

// total is about what a measurement with these windows takes.
func (w windows) total() time.Duration { return w.warmup + w.measure + overhead }

const (
	// startAhead is how far ahead a load's start is set, for every host to hear
	// of it and to attach what watches. On a busy host that may be too short: what
	// fails for it has the next starts set further ahead, up to startAheadMost.
	startAhead     = 100 * time.Millisecond
	startAheadMost = 2 * time.Second
	// prepareTimeout bounds the connecting of a load's peers.
	prepareTimeout = 2 * time.Minute
	// slack is how much longer than its windows a load may take before it is
	// given up.
	slack = 30 * time.Second
)

// trial measures one planned point, with another build of hd if one is given. It
// always returns a record; the error is why that has no numbers.
func (s *sweep) trial(ctx context.Context, p Planned, hd fleet.Binary) (*results.Trial, error) {
	t := s.newTrial(results.KindTrial, p.Point)
	t.ID, t.Run, t.Order = p.ID, p.Run, p.Order
	if t.NA = s.why(p.Point.Config); t.NA != "" {
		return t, nil
	}
	return t, s.through(ctx, t, hd, windows{s.sc.Warmup, s.sc.Measure, s.sc.Drain})
}

// through fills in a record by a relay of its own.
func (s *sweep) through(ctx context.Context, t *results.Trial, hd fleet.Binary, w windows) error {
	began := time.Now()
	r, err := s.startBuild(ctx, t.Point.Config, hd)
	if err == nil {
		err = s.endRelay(ctx, t, r, s.measure(ctx, t, r, w))
	}
	s.finish(t, began, err)
	return err
}

func (s *sweep) newTrial(k results.Kind, p results.Point) *results.Trial {
	return &results.Trial{
		Schema: results.SchemaVersion, Kind: k, ID: results.TrialID(k, p, 1), Point: p, Run: 1, Started: time.Now().UTC(),
		Lab:       s.relayHost.Info().Lab,
		RelayHost: s.relayHost.Info().Name, ClientHost: s.clientNames(),
		RelayCPUs: s.split.Relay.String(), ClientCPUs: s.allClientCPUs(),
		ClientLimitBps: s.limits[clientOf(p.Config)].all,
	}
}

// finish completes a record: its time, its error or what is to be thought of it.
func (s *sweep) finish(t *results.Trial, began time.Time, err error) {
	t.Seconds = time.Since(began).Seconds()
	if err != nil {
		t.Error, t.Load, t.Relay, t.Steal, t.Distance = err.Error(), nil, nil, nil, nil
		return
	}
	t.Validity = results.Judge(t)
}

// stopTimeout bounds the stopping of a relay, which must happen even when the
// sweep is being ended.
const stopTimeout = 15 * time.Second

func stopRelay(ctx context.Context, r *fleet.Relay) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return r.Stop(ctx)
}

// endRelay ends a trial's relay, which was measured with err. A good measurement
// stays one, however the relay ends: that is noted. Of a bad one it may be the cause.
func (s *sweep) endRelay(ctx context.Context, t *results.Trial, r *fleet.Relay, err error) error {
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	look := ctx.Err() == nil && (err != nil || t.Load == nil || t.Load.DeliveredPackets == 0)
	e, stopErr := r.End(stopCtx, look)
	if e.Died != "" {
		e.Notes = append(e.Notes, measure.RelayNote{What: measure.NoteDied, Detail: "it ended before it was told to: " + e.Died})
	}
	if stopErr != nil {
		e.Notes = append(e.Notes, measure.RelayNote{What: measure.NoteUnknown, Detail: stopErr.Error()})
	}
	if err == nil {
		t.RelayNotes = e.Notes
		if stopErr != nil { // it may still run
			return s.restore(ctx)
		}
		return nil
	}
	for _, n := range e.Notes {
		err = fmt.Errorf("%w; the relay: %s: %s", err, n.What, n.Detail)
	}
	return err
}

// startBuild starts a relay, hd from another binary if one is given.
func (s *sweep) startBuild(ctx context.Context, c results.Config, hd fleet.Binary) (*fleet.Relay, error) {
	spec := fleet.RelaySpec{
		Kind: fleet.KindExternal, Transport: c.Transport, Workers: c.Workers,
		CPUs: s.split.Relay.String(), Host: s.dataAddr, Wait: s.RelayWait,
		OnFull: c.OnFull, Moderation: time.Duration(c.ModerationNS), QueuePackets: c.QueuePackets,
		QueueBytes: c.QueueBytes, SocketBuffer: c.SocketBuffer, Congestion: c.Congestion,
		Command: s.sc.externalCommand(c.Relay),
	}
	switch c.Relay {
	case results.RelayHD:
		spec.Kind, spec.Path, spec.SHA256 = fleet.KindHD, hd.Path, hd.SHA256
	case results.RelayDerper:
		spec.Kind = fleet.KindDerper
		b := s.versions[relayVersion{c.Relay, c.Version}].binary
		spec.Path, spec.SHA256 = b.Path, b.SHA256
	}
	r, err := s.relayHost.StartRelay(ctx, spec)
	var said *fleet.RemoteError
	if errors.As(err, &said) && !errors.Is(err, fleet.ErrAgentGone) {
		err = noStart{err}
	}
	return r, err
}

// measure runs a trial's load through a relay (or, without one, from sender to
// receiver) and fills in what was measured.
func (s *sweep) measure(ctx context.Context, t *results.Trial, r *fleet.Relay, w windows) error {
	return s.measureBeside(ctx, t, r, w, nil)
}

// startLater sets the next starts further ahead: this one may have been too near.
func (s *sweep) startLater() { s.ahead = min(4*max(s.ahead, startAhead), startAheadMost) }

// measureBeside is measure with something that is done meanwhile, and told the
// edges of the window by the controller's clock. It has ended when this returns.
func (s *sweep) measureBeside(ctx context.Context, t *results.Trial, r *fleet.Relay, w windows, beside func(ctx context.Context, begin, end int64)) error {
	prepareCtx, cancel := context.WithTimeout(ctx, prepareTimeout)
	load, err := fleet.PrepareLoad(prepareCtx, s.loadSpec(t.Point, r, w), s.clients(t.Point.Load, r == nil)...)
	cancel()
	if err != nil {
		return err
	}
	t.Distance = s.near.before(ctx)
	clocks, err := s.readClocks(ctx)
	if err != nil {
		return errors.Join(err, load.Cancel(ctx))
	}
	t.ClockBoundNS = int64(fleet.Apart(clocks.offsets))

	ahead := max(s.ahead, startAhead)
	start := s.fleet.Now() + int64(ahead)
	begin := start + int64(w.warmup)
	end := begin + int64(w.measure)
	runCtx, cancel := context.WithTimeout(ctx, ahead+w.warmup+w.measure+w.drain+slack)
	defer cancel()
	type used struct {
		w   fleet.Window
		err error
	}
	window := make(chan used, 1)
	if beside != nil {
		ended := make(chan struct{})
		defer func() { <-ended }()
		go func() {
			defer close(ended)
			beside(runCtx, begin, end)
		}()
	}
	go func() {
		if r == nil {
			window <- used{}
			return
		}
		u, err := r.Window(runCtx, begin, end)
		window <- used{u, err}
	}()
	stolen := s.watchSteal(runCtx, begin, end)
	m, err := load.Run(runCtx, start)
	if err != nil {
		cancel()
		err = errors.Join(err, load.Cancel(ctx))
		s.startLater()
	}
	u := <-window
	if err != nil {
		return err
	}
	t.Load = m
	s.near.after(ctx, t.Distance)
	s.noteHosts(t)
	if err := somethingSent(m); err != nil {
		return err
	}
	if err := s.checkClocks(ctx, t, clocks); err != nil {
		return err
	}
	if t.Steal, err = stolen(); err != nil {
		return err
	}
	if r == nil {
		return nil
	}
	if u.err != nil {
		return u.err
	}
	counters, kernelTLS, err := r.Counters(ctx)
	if err != nil {
		return fmt.Errorf("counters of the relay: %w", err)
	}
	t.Relay = &measure.Relay{
		Version: r.Info.Version, Command: r.Info.Command, Env: r.Info.Env, CPUs: r.Info.CPUs, GOMAXPROCS: r.Info.GOMAXPROCS,
		CPUSeconds: u.w.CPUSeconds, CPUNA: s.relayHost.Info().NoCPUTime, WindowSeconds: u.w.Seconds, Counters: counters, KernelTLS: kernelTLS, Perf: u.w.Perf,
		Sockets: u.w.Sockets, Threads: u.w.Threads, Throttle: u.w.Throttle,
	}
	return nil
}

// somethingSent refuses a load of which there is nothing to tell: no packet in the
// window means no loss to speak of, and a delivered rate of zero that nobody has
// measured.
func somethingSent(l *measure.Load) error {
	if l.SentPackets == 0 {
		return errors.New("the clients sent nothing in the measuring window: is the link to the relay's data address up?")
	}
	for _, h := range l.Hosts {
		if h.SendFlows > 0 && h.SentPackets == 0 {
			return fmt.Errorf("%s sent nothing in the measuring window: is its link to the relay's data address up?", h.Agent)
		}
	}
	return nil
}

func (s *sweep) loadSpec(p results.Point, r *fleet.Relay, w windows) fleet.LoadSpec {
	spec := fleet.LoadSpec{
		Direct: r == nil, Transport: p.ClientSide(), FramesPerRecord: p.FramesPerRecord, Pattern: p.Load.Pattern, Pairs: p.Load.Pairs, Payload: p.Load.PayloadBytes,
		Rate: p.Offered.String(), Burst: p.Load.Burst, Tick: time.Duration(p.Load.TickNS),
		Warmup: w.warmup, Measure: w.measure, Drain: w.drain,
		RTT: p.Load.RTT && r != nil, Congestion: p.Load.Congestion, Seed: s.seed,
	}
	if r != nil {
		spec.Relay = r.Info.Addr
	}
	return spec
}

// clientOf is what a configuration asks of the client: the load without a relay.
func clientOf(c results.Config) results.Config {
	return results.Config{Relay: results.RelayNone, Transport: c.ClientSide(), FramesPerRecord: c.FramesPerRecord, Load: c.Load}
}

// calibrate measures what the client can do without a relay, for every load and
// every transport of its own: what it pays for TLS is in its limit.
func (s *sweep) calibrate(ctx context.Context, cs []Configuration) error {
	s.limits = map[results.Config]clientLimit{}
	var clients []results.Config
	for _, c := range cs {
		if client := clientOf(c.Config); s.why(c.Config) == "" && !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	s.Progress.Begin("calibration of the client", len(clients))
	defer s.Progress.End()
	for _, c := range clients {
		p := results.Point{Config: c, Offered: units.Max}
		s.Progress.Step(c.Transport + ", " + c.Load.String())
		t := s.done[results.TrialID(results.KindCalibration, p, 1)]
		if t == nil {
			var err error
			t, err = s.attempt(ctx, c, func() (*results.Trial, error) {
				t := s.newTrial(results.KindCalibration, p)
				began := time.Now()
				err := s.measure(ctx, t, nil, calibrationWindows)
				s.finish(t, began, err)
				return t, err
			}, s.append)
			if err != nil {
				return err
			}
		}
		s.Progress.Done(outcome(t))
		if !t.OK() {
			return fmt.Errorf("calibration of the client (%s, %v): %s", c.Transport, c.Load, t.Error)
		}
		s.limits[c] = limitOf(t)
	}
	return nil
}

// The windows of what is not a trial.
var (
	calibrationWindows = windows{300 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second}
	climbWindows       = windows{150 * time.Millisecond, 300 * time.Millisecond, time.Second}
	climbAgainWindows  = windows{150 * time.Millisecond, 600 * time.Millisecond, time.Second} // where that found the rate not carried
)
