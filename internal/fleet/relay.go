package fleet

import (
	"context"
	"time"

	"hdbench/internal/measure"
)

// Relay is a relay that runs on a host.
type Relay struct {
	host *Host
	Info RelayInfo
}

// relayStartTimeout bounds a relay's way to accepting connections.
const relayStartTimeout = 30 * time.Second

// StartRelay starts a relay and waits until it accepts connections.
func (h *Host) StartRelay(ctx context.Context, spec RelaySpec) (*Relay, error) {
	ctx, cancel := context.WithTimeout(ctx, relayStartTimeout)
	defer cancel()
	r := &Relay{host: h}
	if err := h.call(ctx, verbRelayStart, spec, &r.Info); err != nil {
		return nil, err
	}
	return r, nil
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

// Stop ends the relay and waits until it has.
func (r *Relay) Stop(ctx context.Context) error {
	return r.host.call(ctx, verbRelayStop, relayRef{r.Info.ID}, nil)
}

// Load is a load that is ready to run on a host.
type Load struct {
	host *Host
	id   string
}

// PrepareLoad connects and registers a load's peers.
func (h *Host) PrepareLoad(ctx context.Context, spec LoadSpec) (*Load, error) {
	var ref loadRef
	if err := h.call(ctx, verbLoadPrepare, spec, &ref); err != nil {
		return nil, err
	}
	return &Load{h, ref.ID}, nil
}

// Run starts the load at a time of the controller's clock and returns what it
// measured.
func (l *Load) Run(ctx context.Context, start int64) (*measure.Load, error) {
	var m measure.Load
	if err := l.host.call(ctx, verbLoadRun, loadRunRequest{l.id, l.host.local(start)}, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// Cancel ends a load that is not to be run, or not to its end.
func (l *Load) Cancel(ctx context.Context) error {
	return l.host.call(ctx, verbLoadCancel, loadRef{l.id}, nil)
}
