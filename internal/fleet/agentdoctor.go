package fleet

import (
	"context"
	"fmt"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

type doctorRequest struct {
	SampleNS int64  `json:"sample_ns"`    // how long to look
	DataAddr string `json:"data_address"` // where traffic will go
}

// maxSample bounds how long an agent looks.
const maxSample = 10 * time.Second

func (r doctorRequest) check() error {
	if r.SampleNS < 0 || r.SampleNS > int64(maxSample) {
		return fmt.Errorf("sample of %v: want 0 to %v", time.Duration(r.SampleNS), maxSample)
	}
	return nil
}

// doctor takes the readings of this agent's host. What is to be thought of them is
// the controller's to say: it knows what the host is wanted for.
func (a *agent) doctor(ctx context.Context, r doctorRequest) (*measure.Readings, error) {
	return probe.Readings(ctx, time.Duration(r.SampleNS), r.DataAddr), nil
}

// Readings looks at what the host is doing, for as long as the sample takes.
// dataAddr is where traffic will go.
func (h *Host) Readings(ctx context.Context, sample time.Duration, dataAddr string) (*measure.Readings, error) {
	var r measure.Readings
	if err := h.call(ctx, verbDoctor, doctorRequest{int64(sample), dataAddr}, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

type stealRequest struct {
	CPUs    string `json:"cpus"`
	BeginNS int64  `json:"begin_mono_ns"`
	EndNS   int64  `json:"end_mono_ns"`
}

// steal reads at two times of this agent's clock what the hypervisor has taken.
// That it cannot be read is an answer and no error: the trial counts without.
func (a *agent) steal(ctx context.Context, r stealRequest) (measure.Steal, error) {
	set, err := cpu.Parse(r.CPUs)
	if err != nil {
		return measure.Steal{}, fmt.Errorf("%w: %v", errBadRequest, err)
	}
	s := measure.Steal{CPUs: set.String()}
	var taken [2]time.Duration
	var at [2]int64
	for i, when := range []int64{r.BeginNS, r.EndNS} {
		select {
		case <-time.After(time.Duration(when - a.clock.Now())):
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
		if taken[i], err = probe.StolenTime(set.List()); err != nil {
			s.NA = err.Error()
			return s, nil
		}
		at[i] = a.clock.Now()
	}
	s.Seconds, s.Window = (taken[1] - taken[0]).Seconds(), time.Duration(at[1]-at[0]).Seconds()
	return s, nil
}

// Steal measures what the hypervisor takes from CPUs of the host between two times
// of the controller's clock. It returns after the second.
func (h *Host) Steal(ctx context.Context, cpus string, begin, end int64) (measure.Steal, error) {
	var s measure.Steal
	err := h.call(ctx, verbSteal, stealRequest{cpus, h.local(begin), h.local(end)}, &s)
	s.Role, s.Agent = string(h.member.Role), h.member.Agent
	return s, err
}
