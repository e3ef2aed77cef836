package scenarios

import (
	"context"
	"fmt"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
)

// checkLine measures what the network between the relay's host and the clients'
// carries, before anything is measured through it. On one host there is none.
func (s *sweep) checkLine(ctx context.Context) (*measure.Line, error) {
	var remote []*fleet.Host
	for _, h := range s.clientHosts {
		if !h.SameNetwork(s.relayHost) {
			remote = append(remote, h)
		}
	}
	if len(remote) == 0 {
		return &measure.Line{NA: "one host: loopback"}, nil
	}
	s.Progress.Begin("line check", 1)
	defer s.Progress.End()
	s.Progress.Step(s.dataAddr)
	l, err := fleet.CheckLine(ctx, s.relayHost, s.dataAddr, remote)
	if err != nil {
		return nil, err
	}
	known := func(bps float64) string {
		if bps == 0 {
			return "n/a"
		}
		return fmt.Sprintf("%.0f Mbps", bps/1e6)
	}
	s.Progress.Done(fmt.Sprintf("%s to the relay, %s from it", known(l.Together(true)), known(l.Together(false))))
	return l, nil
}

// lineOfAll is what all clients' links carry together, in each direction; 0 where
// some client has none.
func (s *sweep) lineOfAll() (toRelay, fromRelay float64) {
	if s.line == nil {
		return 0, 0
	}
	for _, h := range s.clientHosts {
		if s.line.Of(h.Member().Agent, true) == 0 {
			return 0, 0
		}
	}
	return s.line.Together(true), s.line.Together(false)
}
