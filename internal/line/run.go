package line

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"hdbench/internal/measure"
)

// Look is one measurement to be made.
type Look struct {
	Addr     string // of a Server
	Token    string
	ToServer bool // else from it
	Streams  int
	Duration time.Duration
	// Start is waited for when all streams are connected; nil: at once.
	Start <-chan time.Time
}

func (l Look) check() error {
	switch {
	case l.Streams < 1 || l.Streams > MaxStreams:
		return fmt.Errorf("line check: %d streams, want 1 to %d", l.Streams, MaxStreams)
	case l.Duration <= 0 || l.Duration > MaxDuration:
		return fmt.Errorf("line check: %v, want at most %v", l.Duration, MaxDuration)
	}
	return nil
}

// Run makes a look. The rates of its streams add up.
func Run(ctx context.Context, l Look) (measure.LineRun, error) {
	r := measure.LineRun{ToRelay: l.ToServer, Streams: l.Streams}
	if err := l.check(); err != nil {
		return r, err
	}
	streams := make([]*stream, l.Streams)
	for i := range streams {
		st, err := connect(ctx, l)
		if err != nil {
			return r, fmt.Errorf("line check: connect to %s: %w", l.Addr, err)
		}
		defer st.conn.Close()
		stop := context.AfterFunc(ctx, func() { st.conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		streams[i] = st
	}
	if l.Start != nil {
		select {
		case <-l.Start:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
	how, got := make([]sending, l.Streams), make([]received, l.Streams)
	var g errgroup.Group
	for i, st := range streams {
		g.Go(func() (err error) {
			if err := st.tell(true); err != nil {
				return err
			}
			if l.ToServer {
				how[i], got[i], err = st.send(l.Duration)
			} else {
				how[i], got[i], err = st.receive(l.Duration)
			}
			if err == nil {
				err = got[i].judge(l.Duration)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return r, fmt.Errorf("line check: %s: %w", l.Addr, errors.Join(err, context.Cause(ctx)))
	}
	for i := range streams {
		r.Bps += 8 * float64(got[i].Bytes) / (float64(got[i].NS) / 1e9)
		r.Seconds = max(r.Seconds, float64(got[i].NS)/1e9)
		r.Retransmits += how[i].Retransmits
		r.MSS, r.PathMTU, r.MTU, r.Congestion = how[i].MSS, how[i].PathMTU, how[i].MTU, how[i].Congestion
	}
	return r, nil
}

// connect opens a stream and makes it ready to go.
func connect(ctx context.Context, l Look) (*stream, error) {
	d := net.Dialer{Timeout: patience}
	d.SetMultipathTCP(false)
	c, err := d.DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	st := newStream(c.(*net.TCPConn))
	if err = c.SetDeadline(time.Now().Add(2*patience + l.Duration)); err == nil {
		err = st.tell(hello{l.Token, l.ToServer, l.Duration})
	}
	var welcome bool
	if err == nil {
		err = st.hear(&welcome)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return st, nil
}
