package fleet

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"hdbench/internal/line"
	"hdbench/internal/measure"
	"hdbench/loadgen"
	"hdbench/relay"
)

// order is a verb of an agent's that only looks at the order: seen gets what an agent
// would carry out.
func order[Req any](seen func(*testing.T, Req)) func(*testing.T) handler {
	return func(t *testing.T) handler {
		return answer(func(_ context.Context, r Req) (struct{}, error) {
			seen(t, r)
			return struct{}{}, nil
		})
	}
}

// orders are the verbs that have parameters.
var orders = []func(*testing.T) handler{
	order(func(t *testing.T, s RelaySpec) {
		if s.Workers > relay.MaxWorkers || s.Moderation > relay.MaxModeration || len(s.Command) > maxCommand || strings.Contains(s.Host, "/") {
			t.Errorf("would start %+v", s)
		}
	}),
	order(func(t *testing.T, s LoadSpec) {
		if s.Pairs > loadgen.MaxPairs || s.Measure > maxSpan || slices.Contains(s.args(), "\x00") {
			t.Errorf("would send %+v", s)
		}
	}),
	order(func(t *testing.T, r windowRequest) {}),
	order(func(t *testing.T, r profileRequest) {}),
	order(func(t *testing.T, r versionRequest) {}),
	order(func(t *testing.T, r loadRunRequest) {}),
	order(func(t *testing.T, r loadSettleRequest) {
		if len(r.Windows) > loadgen.MaxPairs {
			t.Errorf("would settle %d windows", len(r.Windows))
		}
	}),
	order(func(t *testing.T, r doctorRequest) {
		if r.SampleNS < 0 || r.SampleNS > int64(maxSample) {
			t.Errorf("would look for %d ns", r.SampleNS)
		}
	}),
	order(func(t *testing.T, r stealRequest) {}),
	order(func(t *testing.T, r lineListenRequest) {}),
	order(func(t *testing.T, r lineRunRequest) {
		if r.Duration > line.MaxDuration || r.Streams > line.MaxStreams {
			t.Errorf("would look at the line with %+v", r)
		}
	}),
}

// Whatever a controller orders is refused as a bad request, or within bounds.
func FuzzOrders(f *testing.F) {
	for i, s := range []string{
		`{"kind":"hd","host":"127.0.0.1","workers":2,"transport":"tls","command":"x {addr}"}`,
		`{"relay":"127.0.0.1:1","pairs":10,"payload":1400,"measure":1000000000,"part":"1/2"}`,
		`{"id":"relay-1","begin_mono_ns":1,"end_mono_ns":9223372036854775807}`,
		`{"id":"relay-1","frequency_hz":997}`, `{"kind":"derper","path":"/x","sha256":"00"}`, `{"id":"load-1","start_mono_ns":-1}`,
		`{"id":"load-1","windows":[{"flow":1,"first":2,"end":3}]}`, `{"sample_ns":100,"data_address":"127.0.0.1"}`, `{"cpus":"0-3"}`,
		`{"host":"::1"}`, `{"addr":"127.0.0.1:1","token":"t","streams":4,"duration_ns":1000}`,
	} {
		f.Add(byte(i), []byte(s))
	}
	f.Fuzz(func(t *testing.T, verb byte, request []byte) {
		m := orders[int(verb)%len(orders)](t)(t.Context(), request)
		if code := m.Header.Get(micro.ErrorCodeHeader); code != "" && code != codeBadRequest {
			t.Errorf("%s: %s", code, m.Data)
		}
	})
}

// Whatever agents say of themselves, who is chosen is one of them, and named once.
func FuzzFound(f *testing.F) {
	f.Add([]byte(`[{"version":"1.0.0","metadata":{"agent":"r","role":"relay","label.rack":"a"}},{"metadata":{"agent":"c","role":"client"}}]`))
	f.Add([]byte(`[{"metadata":null},{}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var infos []micro.Info
		if json.Unmarshal(b, &infos) != nil {
			return
		}
		var found []Found
		names := map[string]bool{}
		for _, info := range infos {
			found = append(found, foundOf(info))
			names[found[len(found)-1].Agent] = true
		}
		members, err := Wanted{}.Choose(found)
		if err != nil {
			return
		}
		for _, m := range members {
			if !names[m.Agent] {
				t.Errorf("%s was not found", m.Agent)
			}
			delete(names, m.Agent)
		}
	})
}

// A command that is taken has words, and a place for the port.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"/x --listen {addr}", "x 'a b' {port} {cpus}", "x {adr}", "x \"{addr}", "$(id) {addr}", "x `id` {addr}", "x {addr} | y", "{{addr}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckCommand(s) == nil && !strings.Contains(s, "{addr}") && !strings.Contains(s, "{port}") {
			t.Errorf("%q is taken", s)
		}
	})
}

// What a load answers is measured, or is no answer.
func FuzzLoadAnswer(f *testing.F) {
	f.Add([]byte(`{"sent_packets":10,"delivered_packets":9,"latency":{"count":1},"threads":[{"cpu":"0"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l measure.Load
		if json.Unmarshal(b, &l) != nil {
			return
		}
		l.CountUnsent(int(l.Flows))
		l.Loss()
		l.Busiest()
	})
}
