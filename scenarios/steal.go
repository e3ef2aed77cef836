package scenarios

import (
	"context"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
)

// watchSteal reads on every host what its hypervisor takes in a window; the
// function it returns waits for the answers. Cancelling ctx ends them.
func (s *sweep) watchSteal(ctx context.Context, begin, end int64) (wait func() ([]measure.Steal, error)) {
	type side struct {
		host *fleet.Host
		cpus string
	}
	sides := []side{{s.relayHost, s.split.Relay.String()}}
	for _, h := range s.clientHosts {
		sides = append(sides, side{h, s.clientCPUs(h)})
	}
	taken := make([]measure.Steal, len(sides))
	var g errgroup.Group
	for i, side := range sides {
		g.Go(func() (err error) {
			taken[i], err = side.host.Steal(ctx, side.cpus, begin, end)
			return err
		})
	}
	return func() ([]measure.Steal, error) { return taken, g.Wait() }
}
