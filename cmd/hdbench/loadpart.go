package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hdbench/internal/fleet"
	"hdbench/internal/measure"
	"hdbench/loadgen"
)

// partFlags are those of a load that several hosts send together.
func partFlags(cmd *cobra.Command, c *loadgen.Config) {
	f := cmd.Flags()
	f.Var(value[loadgen.Part]{&c.Part, func(s string) (loadgen.Part, error) {
		p, err := loadgen.ParsePart(s)
		p.OneClock = c.Part.OneClock
		return p, err
	}, loadgen.Part.String, "PART/PARTS"},
		"part", "send one host's part of the load, such as 2/3: all parts get the same flags. After the window it prints which packets it sent in it, and waits for those of all parts, one line, on stdin")
	f.Uint64Var(&c.Run, "run", 0, "number that marks this run's packets, the same for all parts; default random")
	f.BoolVar(&c.Part.OneClock, "one-clock", false, "all parts run on one kernel, so one-way latency can be measured")
}

// runPart runs one part of a load: it drains, tells what it sent, and is settled
// when it has heard what all parts sent.
func runPart(ctx context.Context, s *streams, session *loadgen.Session, orders *orders, start int64) (*measure.Load, error) {
	var w fleet.LoadWindows
	var err error
	if w.Windows, err = session.Drain(ctx, start); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(s.out).Encode(w); err != nil {
		return nil, err
	}
	line, err := orders.next(ctx)
	if err != nil {
		return nil, fmt.Errorf("no windows of the other parts on stdin: %w", err)
	}
	var all fleet.LoadWindows
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		return nil, fmt.Errorf("windows of the other parts: %w", err)
	}
	return session.Settle(ctx, all.Windows)
}

// orders are the lines that tell a load what to do.
type orders struct{ lines chan string }

var errWithdrawn = errors.New("stdin has ended: the order is withdrawn")

// awaitOrders reads orders. The context it returns ends with the input: whoever
// gave the orders has gone.
func awaitOrders(ctx context.Context, in io.Reader) (context.Context, *orders) {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &orders{make(chan string)}
	go func() {
		defer cancel(errWithdrawn)
		br := bufio.NewReader(in)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			select {
			case o.lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, o
}

func (o *orders) next(ctx context.Context) (string, error) {
	select {
	case line := <-o.lines:
		return line, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
