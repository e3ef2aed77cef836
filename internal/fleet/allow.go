package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"hdbench/internal/line"
	"hdbench/loadgen"
	"hdbench/relay"
)

// Own is what an agent that its user has started lets any controller do, beside
// measuring with its own hdbench.
type Own struct {
	External bool     // run the commands of external relays, which is to run anything
	Binaries []string // paths of derper and of other builds of hdbench
}

// errNotAllowed marks an order that the agent's keeper has not allowed.
var errNotAllowed = errors.New("not allowed on this agent")

// allow refuses a relay that the agent must not run.
func (a *agent) allow(s RelaySpec) error {
	switch {
	case s.Kind == KindExternal && a.cfg.NATS != nil && !a.cfg.Own.External:
		return fmt.Errorf("%w: commands of external relays; start the agent with --allow-external to run whatever a controller sends", errNotAllowed)
	case s.Kind == KindDerper, s.Path != "":
		return a.allowBinary(s.Path, s.SHA256)
	}
	return nil
}

// allowBinary refuses a file that is not the one the controller means, or not one
// that the agent offers.
func (a *agent) allowBinary(path, hash string) error {
	if path == "" || len(hash) != hex.EncodedLen(sha256.Size) {
		return fmt.Errorf("%w: a binary needs its path and its SHA-256", errBadRequest)
	}
	if a.cfg.NATS != nil && !slices.Contains(a.cfg.Own.Binaries, path) {
		return fmt.Errorf("%w: the binary %s; start the agent with --binary %s", errNotAllowed, path, path)
	}
	have, err := HashFile(path)
	if err != nil {
		return err
	}
	if have != hash {
		return fmt.Errorf("%w: %s has the SHA-256 %s, not %s: it has been changed", errBadRequest, path, have, hash)
	}
	return nil
}

// HashFile is the SHA-256 of a file, in hexadecimal.
func HashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Bounds of orders. They are wide: what makes sense is for the scenario to say,
// these only keep nonsense off the agent's host.
const (
	maxChildren = 64 // relays, and loads, at a time
	maxSpan     = 48 * time.Hour
	maxText     = 256
	maxCommand  = 16 << 10
)

// check finds what no relay can be started with.
func (s RelaySpec) check() error {
	if _, err := netip.ParseAddr(s.Host); err != nil {
		return fmt.Errorf("address to listen on %q: %w", s.Host, err)
	}
	if s.Workers < 0 || s.Workers > relay.MaxWorkers {
		return fmt.Errorf("%d workers, want %d at most", s.Workers, relay.MaxWorkers)
	}
	if s.Moderation < 0 || s.Moderation > relay.MaxModeration {
		return fmt.Errorf("moderation %v, want %v at most", s.Moderation, relay.MaxModeration)
	}
	if s.Wait < 0 || s.Wait > maxSpan {
		return fmt.Errorf("a wait of %v, want %v at most", s.Wait, maxSpan)
	}
	if len(s.Command) > maxCommand {
		return fmt.Errorf("a command of %d bytes, want %d at most", len(s.Command), maxCommand)
	}
	return shortTexts(s.Transport, s.OnFull, s.Congestion, s.CPUs)
}

// check finds what no load can be prepared with.
func (s LoadSpec) check() error {
	if s.Pairs < 0 || s.Pairs > loadgen.MaxPairs {
		return fmt.Errorf("%d pairs, want %d at most", s.Pairs, loadgen.MaxPairs)
	}
	for _, d := range []time.Duration{s.Tick, s.Warmup, s.Measure, s.Drain} {
		if d < 0 || d > maxSpan {
			return fmt.Errorf("a time of %v, want 0 to %v", d, maxSpan)
		}
	}
	if !s.Direct {
		if _, err := netip.ParseAddrPort(s.Relay); err != nil {
			return fmt.Errorf("address of the relay %q: %w", s.Relay, err)
		}
	}
	return shortTexts(s.Transport, s.Pattern, s.Rate, s.Burst, s.CPUs, s.Congestion, s.Part)
}

// check finds what no window can be.
func (w windowRequest) check() error {
	if d := time.Duration(w.EndNS - w.BeginNS); d < 0 || d > maxSpan {
		return fmt.Errorf("a window of %v, want 0 to %v", d, maxSpan)
	}
	return nil
}

// check finds windows that no load can have.
func (r loadSettleRequest) check() error {
	if len(r.Windows) > loadgen.MaxPairs {
		return fmt.Errorf("windows of %d flows, want %d at most", len(r.Windows), loadgen.MaxPairs)
	}
	return nil
}

// check finds what no line can be looked at with.
func (r lineRunRequest) check() error {
	if r.Duration <= 0 || r.Duration > line.MaxDuration || r.Streams < 1 || r.Streams > line.MaxStreams {
		return fmt.Errorf("a look at the line of %v over %d streams, want %v and %d at most", r.Duration, r.Streams, line.MaxDuration, line.MaxStreams)
	}
	if _, err := netip.ParseAddrPort(r.Addr); err != nil {
		return fmt.Errorf("address of the line check %q: %w", r.Addr, err)
	}
	return shortTexts(r.Token)
}

// check finds where nobody can listen.
func (r lineListenRequest) check() error {
	if _, err := netip.ParseAddr(r.Host); err != nil {
		return fmt.Errorf("address to listen on %q: %w", r.Host, err)
	}
	return nil
}

func shortTexts(texts ...string) error {
	for _, t := range texts {
		if len(t) > maxText {
			return fmt.Errorf("a text of %d bytes, want %d at most", len(t), maxText)
		}
	}
	return nil
}
