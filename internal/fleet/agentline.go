package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"hdbench/internal/line"
	"hdbench/internal/measure"
)

// listenLine waits for looks at the line, at an address of the agent's host. What
// was there before is ended.
func (a *agent) listenLine(ctx context.Context, r lineListenRequest) (lineListenReply, error) {
	token := rand.Text()
	s, err := line.Listen(ctx, r.Host, token)
	if err != nil {
		return lineListenReply{}, err
	}
	if !a.keepLine(s) {
		return lineListenReply{}, errClosing
	}
	return lineListenReply{Addr: s.Addr(), Token: token}, nil
}

// keepLine puts a server, or none, in the place of the one that was there.
func (a *agent) keepLine(s *line.Server) bool {
	a.mu.Lock()
	was, closed := a.line, a.closed
	if !closed {
		a.line = s
	}
	a.mu.Unlock()
	if was != nil {
		was.Close()
	}
	if closed && s != nil {
		s.Close()
	}
	return !closed
}

func (a *agent) closeLine(context.Context, struct{}) (struct{}, error) {
	a.keepLine(nil)
	return struct{}{}, nil
}

// runLine makes one look at the line from this host.
func (a *agent) runLine(ctx context.Context, r lineRunRequest) (measure.LineRun, error) {
	l := line.Look{Addr: r.Addr, Token: r.Token, ToServer: r.ToRelay, Streams: r.Streams, Duration: r.Duration}
	if r.StartNS != 0 {
		l.Start = time.After(time.Duration(r.StartNS - a.clock.Now()))
	}
	run, err := line.Run(ctx, l)
	if errors.Is(err, line.ErrBrief) { // says something of a host, and nothing of the line
		run, err = measure.LineRun{ToRelay: r.ToRelay, Streams: r.Streams, NA: err.Error()}, nil
	}
	return run, err
}
