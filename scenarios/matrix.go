package scenarios

import (
	"fmt"
	"math/rand/v2"
	"time"

	"hdbench/internal/transport"
	"hdbench/internal/units"
	"hdbench/results"
)

// Resolved is what a scenario's open places were filled with for one sweep. It is
// written beside the scenario, so that a resumed or repeated sweep measures the
// same points in the same order.
type Resolved struct {
	Line           int // in the file, for messages; 0: it is of no file
	Seed           uint64
	CPUs           CPUs
	Configurations []Configuration
}

// Configuration is one configuration and the rates it is offered.
type Configuration struct {
	results.Config
	Line  int    // in the file, for messages; 0: it is of no file
	Rates []Rate // all fixed
	// SearchMax is the highest rate a search may offer; 0 without a search.
	SearchMax units.Rate
}

// configurations expands the axes: every relay entry's combinations under every
// load. autoWorkers are the worker counts of an entry that leaves them open.
func (s *Scenario) configurations(autoWorkers func(relay string) []int) []Configuration {
	var cs []Configuration
	for _, shape := range s.Load.shapes() {
		for _, r := range s.Relays {
			workers := r.Workers
			if len(workers) == 0 {
				workers = autoWorkers(r.Relay)
			}
			for _, c := range r.configs(workers) {
				c.Load = shape
				for _, c := range s.Load.clients(c) {
					cs = append(cs, Configuration{Config: c})
				}
			}
		}
	}
	return cs
}

// shapes are the combinations of the load's axes.
func (l LoadAxes) shapes() []results.Shape {
	var shapes []results.Shape
	for _, pattern := range l.Pattern {
		for _, pairs := range l.Pairs {
			for _, payload := range l.Payload {
				for _, burst := range l.Burst {
					for _, tick := range l.Tick {
						shapes = append(shapes, results.Shape{
							Pattern: pattern, Pairs: pairs, PayloadBytes: int(payload), Burst: burst,
							TickNS: int64(tick), RTT: l.RTT, Congestion: l.Congestion,
						})
					}
				}
			}
		}
	}
	return shapes
}

// clients are a configuration's combinations with the client's settings for TLS.
func (l LoadAxes) clients(c results.Config) []results.Config {
	if !transport.Kind(c.Transport).Encrypted() {
		return []results.Config{c}
	}
	var cs []results.Config
	for _, client := range orDefault(l.ClientTransport, "") {
		for _, frames := range orDefault(l.FramesPerRecord, 0) {
			c.ClientTransport, c.FramesPerRecord = client, frames
			cs = append(cs, c)
		}
	}
	return cs
}

// configs are the combinations of one relay entry's axes.
func (r RelayAxes) configs(workers []int) []results.Config {
	var cs []results.Config
	for _, transport := range r.Transport {
		for _, n := range workers {
			for _, onFull := range orDefault(r.OnFull, "") {
				for _, moderation := range orDefault(r.Moderation, 0) {
					for _, buffer := range orDefault(r.SocketBuffer, 0) {
						cs = append(cs, results.Config{
							Relay: r.Relay, Version: r.Version, Transport: transport, Workers: n,
							OnFull: onFull, ModerationNS: int64(moderation), SocketBuffer: int64(buffer),
							QueuePackets: r.QueuePackets, QueueBytes: int64(r.QueueBytes), Congestion: r.Congestion,
						})
					}
				}
			}
		}
	}
	return cs
}

// Planned is one trial to be made.
type Planned struct {
	ID    string
	Point results.Point
	Run   int
	Order int // from 1
}

// TrialPlan is what a sweep of the scenario sets out to measure.
func (s *Scenario) TrialPlan() *results.Plan {
	p := s.Runs.plan()
	p.Unresolved = s.Resolved == nil
	if s.Resolved != nil {
		p.Points = s.Resolved.points()
	}
	return p
}

func (r *Resolved) points() []results.Point {
	var points []results.Point
	for _, c := range r.Configurations {
		for _, rate := range c.Rates {
			points = append(points, results.Point{Config: c.Config, Offered: rate.Fixed})
		}
	}
	return points
}

// trials are all runs of all points. Each run of all points is a round of its own
// in a random order: whatever drifts over the sweep (heat, a neighbour's load)
// then touches all points alike.
func (r *Resolved) trials(runs int) []Planned {
	points := r.points()
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	var all []Planned
	for run := 1; run <= runs; run++ {
		for _, i := range rng.Perm(len(points)) {
			p := points[i]
			all = append(all, Planned{results.TrialID(results.KindTrial, p, run), p, run, len(all) + 1})
		}
	}
	return all
}

// overhead is about what a trial takes beside its windows: starting and stopping
// the relay, logins, registration, drain.
const overhead = 400 * time.Millisecond

// trialTime estimates one trial.
func (s *Scenario) trialTime() time.Duration { return s.Warmup + s.Measure + overhead }

// checkSize refuses a matrix that was surely not meant.
func (r *Resolved) checkSize() error {
	n := 0
	for _, c := range r.Configurations {
		n += len(c.Rates)
	}
	if n > maxPoints {
		return fmt.Errorf("the matrix has %d points, want at most %d", n, maxPoints)
	}
	return nil
}
