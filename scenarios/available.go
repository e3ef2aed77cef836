package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"hdbench/internal/cpu"
	"hdbench/internal/fleet"
	"hdbench/internal/transport"
	"hdbench/results"
)

// relayVersion is a relay a scenario wants.
type relayVersion struct{ relay, version string }

// availability is where a relay is and what it says of itself, or why it cannot
// be run here.
type availability struct {
	binary  fleet.Binary // on the relay's host
	version string
	na      string
}

// findRelays looks for every relay of the scenario.
func (s *sweep) findRelays(ctx context.Context) error {
	s.versions = map[relayVersion]availability{}
	if err := s.couldStart(ctx, fleet.RelaySpec{Kind: fleet.KindHD, Host: s.dataAddr}); err != nil {
		return err
	}
	for _, r := range s.sc.Relays {
		v := relayVersion{r.Relay, r.Version}
		if _, seen := s.versions[v]; seen {
			continue
		}
		switch r.Relay {
		case results.RelayHD:
			s.versions[v] = availability{version: s.relayHost.Version()}
		case results.RelayDerper:
			a, err := s.findDerper(ctx, r.Version)
			if err != nil {
				return err
			}
			s.versions[v] = a
		default:
			if err := s.couldStart(ctx, fleet.RelaySpec{Kind: fleet.KindExternal, Host: s.dataAddr, Command: r.Command}); err != nil {
				return fmt.Errorf("relay %s: %w", r.Relay, err)
			}
			s.versions[v] = availability{version: r.Command}
		}
	}
	return nil
}

// couldStart asks the relay's host for what would keep a relay from being started.
func (s *sweep) couldStart(ctx context.Context, spec fleet.RelaySpec) error {
	err := s.relayHost.CheckRelay(ctx, spec)
	var said *fleet.RemoteError
	if errors.As(err, &said) && !errors.Is(err, fleet.ErrAgentGone) {
		return badInput(err)
	}
	return err
}

// findDerper looks for the baseline's binary: one that the relay's agent offers,
// the one given, or the one that "make baseline" has built beside hdbench, or one
// on the PATH. The last three are this host's, and copied to the relay's.
func (s *sweep) findDerper(ctx context.Context, version string) (availability, error) {
	if s.Derper != "" {
		b, v, err := s.offerDerper(ctx, s.Derper)
		if err != nil {
			return availability{}, badInput(fmt.Errorf("--derper %s: %w", s.Derper, err))
		}
		return availability{binary: b, version: v}, nil
	}
	for _, b := range s.relayHost.Binaries() {
		if v, err := s.relayHost.RelayVersion(ctx, fleet.KindDerper, b); err == nil && v == version {
			return availability{binary: b, version: v}, nil
		}
	}
	why := fmt.Sprintf("no derper %s found; build it with: make baseline DERPER=%s, or name one with --derper", version, version)
	for _, path := range derperCandidates(s.Binary, version) {
		// Another one need not be copied to find that out; one for another
		// architecture does.
		if v, err := fleet.DerperVersion(ctx, path); err == nil && v != version {
			continue
		}
		b, v, err := s.offerDerper(ctx, path)
		switch {
		case ctx.Err() != nil:
			return availability{}, ctx.Err()
		case err != nil:
			why = fmt.Sprintf("derper %s: %v", version, err)
		case v == version:
			return availability{binary: b, version: v}, nil
		}
	}
	return availability{na: why}, nil
}

// offerDerper makes a derper of this host available to the relay's, and asks it
// there what it is.
func (s *sweep) offerDerper(ctx context.Context, path string) (fleet.Binary, string, error) {
	b, err := s.relayHost.Offer(ctx, path)
	if err != nil {
		return b, "", err
	}
	v, err := s.relayHost.RelayVersion(ctx, fleet.KindDerper, b)
	return b, v, err
}

// derperCandidates are the places where a derper of that version may be.
func derperCandidates(binary, version string) []string {
	name := "derper-" + version
	var found []string
	beside := filepath.Join(filepath.Dir(binary), name)
	if _, err := os.Stat(beside); err == nil {
		found = append(found, beside)
	}
	for _, n := range []string{name, "derper"} {
		if p, err := exec.LookPath(n); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// FindDerper is the derper of that version which a sweep on this host would use,
// for the hdbench at binary.
func FindDerper(ctx context.Context, binary, version string) (path, reported string, err error) {
	for _, path := range derperCandidates(binary, version) {
		if v, err := fleet.DerperVersion(ctx, path); err == nil && v == version {
			return path, v, nil
		}
	}
	return "", "", fmt.Errorf("no derper %s", version)
}

// why says why a configuration cannot be measured here; empty if it can.
func (s *sweep) why(c results.Config) string {
	if a := s.versions[relayVersion{c.Relay, c.Version}]; a.na != "" {
		return a.na
	}
	ktls := string(transport.KTLS)
	if c.Transport == ktls && c.Relay == results.RelayDerper {
		return "derper has no kernel TLS"
	}
	if why := s.relayHost.Info().NoKTLS; c.Transport == ktls && why != "" {
		return why
	}
	for _, h := range s.clientHosts {
		if why := h.Info().NoKTLS; c.ClientSide() == ktls && why != "" {
			return h.Member().Agent + ": " + why
		}
	}
	return ""
}

// parseCores reads what the relay's host says of its cores.
func parseCores(lists []string) ([]cpu.Set, error) {
	var cores []cpu.Set
	for _, list := range lists {
		set, err := cpu.Parse(list)
		if err != nil {
			return nil, fmt.Errorf("CPUs the relay's host reports: %w", err)
		}
		cores = append(cores, set)
	}
	if len(cores) == 0 {
		return nil, errors.New("the relay's host reports no CPUs")
	}
	return cores, nil
}
