package fleet

import (
	"context"
	"errors"
	"time"
)

// clear ends all that the agent has started for its holder.
func (a *agent) clear(context.Context, struct{}) (struct{}, error) {
	a.endChildren()
	return struct{}{}, nil
}

// clearTimeout bounds the clearing of one host.
const clearTimeout = 15 * time.Second

// Restore makes the fleet ready for a new trial after one has failed: agents that
// are lost are got back, and those that are there end what they may still be
// doing, since an order to stop may have been lost with its trial.
func (f *Fleet) Restore(ctx context.Context) error {
	if err := f.Revive(ctx); err != nil {
		return err
	}
	for _, h := range f.hosts {
		ctx, cancel := context.WithTimeout(ctx, clearTimeout)
		err := h.call(ctx, verbClear, struct{}{}, nil)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// Final reports whether an error of Restore's stays however often one tries.
func Final(err error) bool {
	return errors.Is(err, ErrVersion) || errors.Is(err, ErrChanged) || errors.Is(err, context.Canceled)
}

// ErrChanged means that a host is not what it was when the sweep began.
var ErrChanged = errors.New("the host has changed since the sweep began")
