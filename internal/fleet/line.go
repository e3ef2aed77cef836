package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/measure"
)

// The looks of a line check. A second is long enough for slow start to be over in
// its first fifth, which is left out.
const (
	lineDuration = time.Second
	lineAhead    = time.Second // for all streams of looks that start together
	lineTimeout  = 30 * time.Second
)

// lineStreams are how many streams the looks have: one, and as many as hosts have
// that spread their receiving over several CPUs.
var lineStreams = []int{1, 8}

// CheckLine measures what raw TCP carries between a relay's host, at the address
// its traffic goes to, and each client: both directions, one stream and several,
// and of several clients all at once.
func CheckLine(ctx context.Context, relay *Host, addr string, clients []*Host) (_ *measure.Line, err error) {
	var at lineListenReply
	if err := relay.call(ctx, verbLineListen, lineListenRequest{addr}, &at); err != nil {
		return nil, fmt.Errorf("line check: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		err = errors.Join(err, relay.call(ctx, verbLineClose, struct{}{}, nil))
	}()
	l := new(measure.Line)
	look := func(ctx context.Context, h *Host, r lineRunRequest) (measure.LineRun, error) {
		r.Addr, r.Token, r.Duration = at.Addr, at.Token, lineDuration
		ctx, cancel := context.WithTimeout(ctx, lineTimeout)
		defer cancel()
		var run measure.LineRun
		err := h.call(ctx, verbLineRun, r, &run)
		if err != nil {
			err = fmt.Errorf("line check: from %s to the relay's data address %s: %w", h.member.Agent, addr, err)
		}
		run.Client = h.member.Agent
		return run, err
	}
	for _, h := range clients {
		for _, toRelay := range []bool{true, false} {
			for _, n := range lineStreams {
				runs, err := again(func() ([]measure.LineRun, error) {
					run, err := look(ctx, h, lineRunRequest{ToRelay: toRelay, Streams: n})
					return []measure.LineRun{run}, err
				})
				if err != nil {
					return nil, err
				}
				l.Runs = append(l.Runs, runs...)
			}
		}
	}
	if len(clients) < 2 {
		return l, nil
	}
	for _, toRelay := range []bool{true, false} {
		runs, err := again(func() ([]measure.LineRun, error) {
			runs := make([]measure.LineRun, len(clients))
			start := relay.fleet.Now() + int64(lineAhead)
			g, ctx := errgroup.WithContext(ctx)
			for i, h := range clients {
				g.Go(func() (err error) {
					runs[i], err = look(ctx, h, lineRunRequest{ToRelay: toRelay, Streams: lineStreams[len(lineStreams)-1], StartNS: h.local(start)})
					runs[i].Together = true
					return err
				})
			}
			return runs, g.Wait()
		})
		if err != nil {
			return nil, err
		}
		l.Runs = append(l.Runs, runs...)
	}
	return l, nil
}

// lineTries is how often looks are made until each has a rate.
const lineTries = 3

// again makes looks, and makes them again where a host was too busy for one.
func again(looks func() ([]measure.LineRun, error)) (runs []measure.LineRun, err error) {
	for range lineTries {
		runs, err = looks()
		if err != nil || !slices.ContainsFunc(runs, func(r measure.LineRun) bool { return r.NA != "" }) {
			break
		}
	}
	return runs, err
}
