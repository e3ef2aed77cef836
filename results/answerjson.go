package results

import (
	"math"

	"hdbench/results/stat"
)

// answerJSON is the answer, row by row.
type answerJSON struct {
	Unfinished string          `json:"unfinished,omitempty"`
	Setup      string          `json:"setup"`
	Rate       string          `json:"rate,omitempty"`
	Rows       []answerRowJSON `json:"rows"`
	NotHere    []string        `json:"not_here,omitempty"`
	Findings   []string        `json:"findings"`
	Trust      string          `json:"trust"`
}

type answerRowJSON struct {
	Configuration string        `json:"configuration"`
	Ceiling       *estimateJSON `json:"ceiling_bps"`
	Bound         string        `json:"bound"`
	OfTS          *boundedJSON  `json:"of_ts"`
	OfTransport   string        `json:"of_ts_transport,omitempty"`
	Loss          *float64      `json:"loss"`
	RunCV         *float64      `json:"run_cv"`
	CPUPerGbit    *float64      `json:"relay_cpu_seconds_per_gbit"`
	P99           *float64      `json:"latency_p99_ns"`
	Limit         Cause         `json:"limit"`
}

func (a *Answer) json() answerJSON {
	j := answerJSON{
		Unfinished: a.Unfinished, Setup: a.Setup, Rate: a.Rate, Rows: []answerRowJSON{},
		NotHere: a.NotHere, Findings: listed(a.Findings), Trust: a.Trust,
	}
	for _, r := range a.Rows {
		j.Rows = append(j.Rows, r.json())
	}
	return j
}

func (r *AnswerRow) json() answerRowJSON {
	c := r.Ceiling
	j := answerRowJSON{Configuration: r.Name, OfTS: r.Of.json(), Limit: c.Limit.What}
	if c.AtLeast {
		j.Bound = "at-least"
	}
	if r.Of.NA == "" {
		j.OfTransport = c.Config.Transport
		if r.OfTLS {
			j.OfTransport = "tls"
		}
	}
	if c.At == nil {
		return j
	}
	j.Ceiling = jsonOfEstimate(c.Delivered)
	j.Loss, j.RunCV = orNull(c.At.Loss), orNull(c.At.DeliveredBps.CV)
	if r.At != nil {
		j.CPUPerGbit = orNull(r.At.CPUPerGbit.Mean)
		if h := r.At.latency(); h.Count > 0 {
			j.P99 = orNull(float64(h.P99NS))
		}
	}
	return j
}

// jsonOfEstimate is nil where there is none.
func jsonOfEstimate(e stat.Estimate) *estimateJSON {
	if math.IsNaN(e.Value) {
		return nil
	}
	return &estimateJSON{e.N, orNull(e.Value), orNull(e.Lo), orNull(e.Hi)}
}
