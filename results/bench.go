package results

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"hdbench/results/stat"
)

// benchUnits are the units of bench.txt and which way is better.
var benchUnits = []struct{ unit, better string }{
	{"delivered-Mbit/s", "higher"}, {"sent-Mbit/s", "higher"}, {"loss-%", "lower"}, {"shortfall-%", "lower"},
	{"interval-CV-%", "lower"}, {"p50-us", "lower"}, {"p99-us", "lower"}, {"p99.9-us", "lower"},
	{"relay-CPU-%", "lower"}, {"CPU-s/Gbit", "lower"},
}

// WriteBench writes the trials in the Go benchmark format, one line a trial, each
// with the quantities that can be trusted, so that benchstat works on them as it is.
func WriteBench(w io.Writer, set *Set) error {
	out := benchfmt.NewWriter(w)
	for _, u := range benchUnits {
		m := &benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: u.unit, Key: "better"}, Value: u.better}
		if err := out.Write(m); err != nil {
			return err
		}
	}
	for _, t := range set.Trials {
		if t.Kind != KindTrial || !anything(t) {
			continue
		}
		r := benchResult(set, t)
		if len(r.Values) == 0 {
			continue
		}
		if err := out.Write(r); err != nil {
			return err
		}
	}
	return nil
}

func benchResult(set *Set, t *Trial) *benchfmt.Result {
	r := &benchfmt.Result{Name: benchfmt.Name(benchName(t.Point)), Iters: 1}
	config := func(k, v string) {
		if v != "" {
			r.Config = append(r.Config, benchfmt.Config{Key: k, Value: []byte(v), File: true})
		}
	}
	config("hdbench", set.Environment.Hdbench)
	config("scenario", set.Environment.Scenario)
	for _, h := range set.Environment.Hosts {
		for _, role := range h.Roles {
			config(role+"-host", h.Host.Name)
			config(role+"-cpu", h.Host.CPUModel)
			config(role+"-kernel", h.Host.Kernel)
		}
	}
	l := t.Load
	value := func(v float64, unit string) {
		r.Values = append(r.Values, benchfmt.Value{Value: v, Unit: unit})
	}
	if t.Trusts(Throughput) {
		value(l.DeliveredBps/1e6, "delivered-Mbit/s")
		value(l.SentBps/1e6, "sent-Mbit/s")
		if loss, ok := l.Loss(); ok {
			value(100*loss, "loss-%")
		}
		if s, ok := l.Shortfall(); ok {
			value(100*s, "shortfall-%")
		}
		if cv := stat.IntervalCV(l.IntervalDeliveredBps); !math.IsNaN(cv) {
			value(100*cv, "interval-CV-%")
		}
	}
	if lat := t.latency(); lat.Count > 0 && t.Trusts(Latency) {
		value(float64(lat.P50NS)/1e3, "p50-us")
		value(float64(lat.P99NS)/1e3, "p99-us")
		value(float64(lat.P999NS)/1e3, "p99.9-us")
	}
	if cpus, perGbit := t.relayCost(); !math.IsNaN(cpus) && t.Trusts(Cost) {
		value(100*cpus, "relay-CPU-%")
		if !math.IsNaN(perGbit) {
			value(perGbit, "CPU-s/Gbit")
		}
	}
	return r
}

// benchName is a point in the key=value form that benchstat's projections read.
func benchName(p Point) string {
	parts := []string{"Relay", "relay=" + p.Relay}
	add := func(k, v string) {
		if v != "" {
			parts = append(parts, k+"="+strings.Map(func(r rune) rune {
				if r == '/' || r == ' ' || r == '=' {
					return '_'
				}
				return r
			}, v))
		}
	}
	add("version", p.Version)
	add("transport", p.Transport)
	add("workers", strconv.Itoa(p.Workers))
	for _, s := range p.settings() {
		add(s.key, s.value)
	}
	add("pattern", p.Load.Pattern)
	add("pairs", strconv.Itoa(p.Load.Pairs))
	add("payload", fmt.Sprintf("%dB", p.Load.PayloadBytes))
	add("burst", p.Load.Burst)
	add("tick", time.Duration(p.Load.TickNS).String())
	add("client-congestion", p.Load.Congestion)
	add("offered", p.Offered.Short())
	// What follows a last dash would be read as GOMAXPROCS.
	return strings.ReplaceAll(strings.Join(parts, "/"), "-", "_")
}
