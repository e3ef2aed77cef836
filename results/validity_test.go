package results

import (
	"testing"
	"time"

	"hdbench/internal/units"
)

func TestJudge(t *testing.T) {
	for want, change := range map[Code]func(*Trial){
		"":             func(*Trial) {},
		PacingLate:     func(t *Trial) { t.Load.Pacing.P99NS = int64(2 * time.Millisecond) },
		Corrupt:        func(t *Trial) { t.Load.Reordered = 1 },
		Undrained:      func(t *Trial) { t.Load.Undrained = 1 },
		ClockSkew:      func(t *Trial) { t.Load.Skewed = 1 },
		Accounting:     func(t *Trial) { t.Relay.Counters.Received-- },
		Oversubscribed: func(t *Trial) { t.Point.Workers = 3 },
	} {
		tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
		change(tr)
		got := Judge(tr)
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0].Code != want || got[0].Detail == "") {
			t.Errorf("want %q, got %+v", want, got)
		}
	}
	more := map[string]func(*Trial){
		"forwarded, not received":     func(t *Trial) { t.Relay.Counters.Forward++ },
		"dropped without a reason":    func(t *Trial) { t.Relay.Counters.Dropped = nil; t.Relay.Counters.Forward--; t.Load.FramesReceived-- },
		"relay and client on one CPU": func(t *Trial) { t.ClientCPUs = "1-2" },
	}
	for name, change := range more {
		tr := trial(hd(1), units.Gbps, 1, 1000, 0.3)
		change(tr)
		if len(Judge(tr)) != 1 {
			t.Errorf("%s: %+v", name, Judge(tr))
		}
	}
	busy := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	busy.Load.Threads[0].Busy, busy.ClientLimitBps = 0.99, 0.9e9
	if f := Judge(busy); len(f) != 0 {
		t.Errorf("what was carried is a proof, however busy the client was: %+v", f)
	}
	two := trial(hd(1), units.Gbps, 1, 1000, 0.3)
	two.ClientCPUs, two.ClientHost = "1-2", "another"
	if f := Judge(two); len(f) != 0 {
		t.Errorf("the same CPU numbers on two hosts: %+v", f)
	}
}
