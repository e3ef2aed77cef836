package fleet

import (
	"context"
	"errors"
	"testing"
	"time"

	"hdbench/internal/cpu"
)

func TestHostTellsItsReadings(t *testing.T) {
	_, h := startTestFleet(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := h.Readings(ctx, 10*time.Millisecond, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if !r.Route.Local || r.Route.To != "127.0.0.1" || len(r.CPUs) == 0 && r.Missing["cpus"] == "" {
		t.Errorf("%+v", r)
	}
	if h.Info().Fingerprint == nil || !h.Info().Same(h.Info()) {
		t.Errorf("no fingerprint came with %+v", h.Info())
	}
}

func TestStealIsMeasuredBetweenTwoTimes(t *testing.T) {
	f, h := startTestFleet(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	begin := f.Now()
	s, err := h.Steal(ctx, set.String(), begin, begin+int64(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if _, known := s.Share(set.Size()); s.CPUs != set.String() || s.Agent != "a1" || s.NA == "" && (!known || s.Window <= 0 || s.Seconds < 0) {
		t.Errorf("%+v", s)
	}
	// What cannot be read is no failure of the trial.
	if s, err := h.Steal(ctx, "4096", begin, begin); err != nil || s.NA == "" {
		t.Errorf("a CPU that is not there: %+v, %v", s, err)
	}
	var remote *RemoteError
	if _, err := h.Steal(ctx, "x-y", begin, begin); !errors.As(err, &remote) || remote.Code != codeBadRequest {
		t.Errorf("no CPU list: %v", err)
	}
}
