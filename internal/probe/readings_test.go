package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/perf"
)

func TestStateOfRecordedHosts(t *testing.T) {
	for _, c := range []struct {
		tree    string
		want    measure.Readings
		missing []string
	}{
		{"vm", measure.Readings{Load1: 0.1, Privileged: true}, []string{"throttled", "on_battery"}},
		{"xeon-e5-1650v3", measure.Readings{SwapUsedBytes: 128 << 20, Throttle: 2*2 + 3}, nil},
		{"container", measure.Readings{Load1: 1}, []string{"throttled", "on_battery"}},
	} {
		s := tree(t, c.tree)
		var got measure.Readings
		m := &missing{s: s}
		s.state(&got, m)
		if got.Load1 != c.want.Load1 || got.Privileged != c.want.Privileged || got.SwapUsedBytes != c.want.SwapUsedBytes || got.Throttle != c.want.Throttle || got.Battery {
			t.Errorf("%s: %+v, want %+v", c.tree, got, c.want)
		}
		for _, field := range c.missing {
			if m.of[field] == "" {
				t.Errorf("%s: %s is not known, and no reason says why: %v", c.tree, field, m.of)
			}
		}
		if len(m.of) != len(c.missing) {
			t.Errorf("%s: missing %v, want %v", c.tree, m.of, c.missing)
		}
	}
}

func TestSharesOfTime(t *testing.T) {
	a := procfs.CPUStat{User: 10, System: 5, Idle: 85, Steal: 1}
	b := procfs.CPUStat{User: 13, System: 6, SoftIRQ: 1, Idle: 88, Iowait: 1, Steal: 2, Guest: 3}
	if got, want := shares(a, b), (measure.CPUShare{Busy: 0.5, SoftIRQ: 0.1, Steal: 0.1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := shares(a, a); got != (measure.CPUShare{}) {
		t.Errorf("no time has passed: %+v", got)
	}
}

func TestHostThatCountsNoTimeSaysSo(t *testing.T) {
	s := tree(t, "container")
	if _, err := s.cpuTimes(); !errors.Is(err, errNoStat) {
		t.Errorf("%v, want %v", err, errNoStat)
	}
}

func TestReadingsOfThisHost(t *testing.T) {
	r := Readings(context.Background(), 20*time.Millisecond, "127.0.0.1")
	if r.Missing["route"] != "" || !r.Route.Local || r.Route.Device != "lo" {
		t.Errorf("route to loopback: %+v, %v", r.Route, r.Missing)
	}
	if r.Missing["cpus"] == "" && len(r.CPUs) == 0 {
		t.Error("no CPU has a reading, and no reason says why")
	}
	if r := Readings(context.Background(), 0, "nowhere"); !strings.Contains(r.Missing["route"], "no IP address") {
		t.Errorf("a name is no address: %v", r.Missing)
	}
	gone, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("interrupted"))
	if r := Readings(gone, time.Hour, "127.0.0.1"); r.Missing["cpus"] != "interrupted" {
		t.Errorf("a sample that was cut short: %v", r.Missing)
	}
}

// Whether this host has a PMU is the kernel's to say, and what Readings say of it.
func TestPMUIsAsTheKernelSays(t *testing.T) {
	software, err := perf.OpenCounter(perf.TaskClock, perf.UserOnly, 0, false)
	why := noPMU()
	if err == nil {
		software.Close()
		if strings.Contains(why, perf.ErrNotPermitted.Error()) {
			t.Errorf("software counters can be opened, but: %s", why)
		}
	} else if why == "" {
		t.Errorf("there are cycles, but no software counter: %v", err)
	}
}

func TestStolenTime(t *testing.T) {
	set, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	a, err := StolenTime(set.List())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := StolenTime(set.List()); err != nil || b < a {
		t.Errorf("%v, then %v, %v", a, b, err)
	}
	if _, err := StolenTime([]int{1 << 20}); err == nil {
		t.Error("a CPU that is not there has been stolen from")
	}
}
