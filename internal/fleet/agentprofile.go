package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/perf"
	"hdbench/internal/profile"
)

// profileRequest asks for where a relay spends its CPU time between two times of
// the agent's clock. The answer comes when the second has passed.
type profileRequest struct {
	ID          string `json:"id"`
	BeginNS     int64  `json:"begin_mono_ns"`
	EndNS       int64  `json:"end_mono_ns"`
	FrequencyHz int    `json:"frequency_hz"`
}

// Profile is where a relay spent its CPU time, and the files of it.
type Profile struct {
	Summary measure.Profile `json:"summary"`
	Pprof   []byte          `json:"pprof"`     // as it goes into a file: gzip
	Folded  []byte          `json:"folded_gz"` // gzip of the folded stacks
}

// maxProfile bounds both files together: as base64 they take a third more, and
// must go into one message.
const maxProfile = maxMessage / 2

// ErrNoProfile means that a host cannot or may not sample; the text says why.
var ErrNoProfile = errors.New("the relay cannot be sampled")

// relayProfile samples a relay with all its threads and descendants.
func (a *agent) relayProfile(ctx context.Context, q profileRequest) (Profile, error) {
	r, err := a.liveRelay(q.ID)
	if err != nil {
		return Profile{}, err
	}
	rules, err := profile.LoadRules("")
	if err != nil {
		return Profile{}, err
	}
	s, err := profile.Open(profile.Config{PID: r.child.pid(), FrequencyHz: q.FrequencyHz})
	if err != nil {
		return Profile{}, cannotSample(err)
	}
	defer s.Close()
	until := func(at int64) error {
		select {
		case <-time.After(time.Duration(at - a.clock.Now())):
			return nil
		case <-r.child.ended:
			return fmt.Errorf("the relay ended: %w", r.child.failure())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if late := time.Duration(a.clock.Now() - q.BeginNS); late > 0 {
		return Profile{}, fmt.Errorf("attaching the profiler took until %v after the window had begun", late)
	}
	if err := until(q.BeginNS); err != nil {
		return Profile{}, err
	}
	if err := s.Start(); err != nil {
		return Profile{}, err
	}
	if err := until(q.EndNS); err != nil {
		return Profile{}, err
	}
	if err := s.Stop(); err != nil {
		return Profile{}, err
	}
	p, err := s.Resolve(rules)
	if err != nil {
		return Profile{}, err
	}
	return packProfile(p)
}

// cannotSample marks an error that would be the same another time, of whatever
// relay: it says why, and not of whom.
func cannotSample(err error) error {
	var open *perf.OpenError
	if errors.As(err, &open) && !errors.Is(err, perf.ErrNoProcess) {
		return fmt.Errorf("%w: %s", ErrNoProfile, open.Reason())
	}
	return err
}

func packProfile(p *profile.Profile) (Profile, error) {
	out := Profile{Summary: p.Summary}
	var pprof, folded bytes.Buffer
	if err := p.Write(&pprof); err != nil {
		return Profile{}, err
	}
	z := gzip.NewWriter(&folded)
	if err := errors.Join(p.WriteFolded(z), z.Close()); err != nil {
		return Profile{}, err
	}
	if n := pprof.Len() + folded.Len(); n > maxProfile {
		return Profile{}, fmt.Errorf("the profile has %d MiB, more than the %d that go into a message; sample for a shorter time", n>>20, maxProfile>>20)
	}
	out.Pprof, out.Folded = pprof.Bytes(), folded.Bytes()
	return out, nil
}

// Profile samples the relay between two times of the controller's clock. It
// returns after the second. An error that wraps ErrNoProfile is the host's, and
// would be the same another time.
func (r *Relay) Profile(ctx context.Context, begin, end int64, frequencyHz int) (*Profile, error) {
	var p Profile
	err := r.host.call(ctx, verbRelayProfile, profileRequest{r.Info.ID, r.host.local(begin), r.host.local(end), frequencyHz}, &p)
	var remote *RemoteError
	if errors.As(err, &remote) && remote.Code == codeNoProfile {
		return nil, fmt.Errorf("%w%s", ErrNoProfile, strings.TrimPrefix(remote.Text, ErrNoProfile.Error()))
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}
