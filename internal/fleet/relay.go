package fleet

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"hdbench/internal/measure"
)

// Relay is a relay that runs on a host.
type Relay struct {
	host *Host
	Info RelayInfo
}

// relayAnswer is how much longer than a relay may take its agent may: it ends one
// that does not start, and all that that has started.
const relayAnswer = 10*time.Second + endPatience

// StartRelay starts a relay and waits until it accepts connections.
func (h *Host) StartRelay(ctx context.Context, spec RelaySpec) (*Relay, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(spec.Wait, DefaultRelayWait)+relayAnswer)
	defer cancel()
	r := &Relay{host: h}
	if err := h.call(ctx, verbRelayStart, spec, &r.Info); err != nil {
		return nil, err
	}
	return r, nil
}

// CheckRelay asks whether the host could start a relay, without starting it: whether
// its command's program is there and may be run, and whether a port can be had at its
// address. What the host answers is a RemoteError.
func (h *Host) CheckRelay(ctx context.Context, spec RelaySpec) error {
	return h.call(ctx, verbRelayCheck, spec, nil)
}

// RelayVersion asks which version of a relay the host would run.
func (h *Host) RelayVersion(ctx context.Context, kind RelayKind, b Binary) (string, error) {
	var v versionReply
	err := h.call(ctx, verbRelayVersion, versionRequest{kind, b.Path, b.SHA256}, &v)
	return v.Version, err
}

// Window measures what the relay uses between two times of the controller's
// clock. It returns after the second.
func (r *Relay) Window(ctx context.Context, begin, end int64) (Window, error) {
	var w Window
	err := r.host.call(ctx, verbRelayWindow, windowRequest{r.Info.ID, r.host.local(begin), r.host.local(end)}, &w)
	return w, err
}

// Counters reads the relay's own counters, nil if it has none we can read, and
// what the kernel did for its TLS, nil if it has none or the kernel counts nothing.
func (r *Relay) Counters(ctx context.Context) (*measure.Counters, *measure.KernelTLS, error) {
	var c countersReply
	err := r.host.call(ctx, verbRelayCounters, relayRef{r.Info.ID}, &c)
	return c.Counters, c.KernelTLS, err
}

// End ends the relay, with all that it has started, and says how it ended. With look
// it is asked for what it does when nobody uses it: its trial has failed.
func (r *Relay) End(ctx context.Context, look bool) (RelayEnd, error) {
	var e RelayEnd
	err := r.host.call(ctx, verbRelayStop, stopRequest{r.Info.ID, look}, &e)
	return e, err
}

// Stop ends the relay; one that has ended by itself is an error.
func (r *Relay) Stop(ctx context.Context) error {
	e, err := r.End(ctx, false)
	if err == nil && e.Died != "" {
		err = fmt.Errorf("%w: %s", errRelayDied, e.Died)
	}
	return err
}
