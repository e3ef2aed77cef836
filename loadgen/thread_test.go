package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
	"hdbench/internal/units"
)

// byHand is a session whose only thread has ended, so that the test can drive it.
// Its window begins at the returned time.
func byHand(t *testing.T, cfg Config) (*Session, *thread, int64) {
	t.Helper()
	cfg.CPUs = cpu.Of(mustCPU(t))
	s, err := Prepare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.phase.Store(int32(phaseStop))
	s.wake()
	s.wg.Wait()
	th := s.threads[0]
	now := th.clock.Now()
	s.times.Store(&timeline{start: now, begin: now, end: now + int64(time.Hour), drainedBy: now + int64(time.Hour)})
	th.begin()
	return s, th, now
}

// A tick that was slept through counts with its own lateness.
func TestEveryTickHasItsLateness(t *testing.T) {
	cfg := small("")
	cfg.Direct, cfg.Tick = true, time.Millisecond
	_, th, start := byHand(t, cfg)
	const ms = int64(time.Millisecond)
	th.tl.begin, th.tl.end = start+5*ms, start+25*ms
	th.pace(start + ms/2)   // tick 0 is of the warm-up
	th.pace(start + 14*ms)  // slept through 1 to 13; 5 and later are of the window
	th.pace(start + 14*ms)  // again: nothing has passed
	th.pace(start + 100*ms) // slept through the window's end: 15 to 24
	h := th.rec.pacing
	if h.TotalCount() != 20 {
		t.Fatalf("%d values for a window of 20 ticks", h.TotalCount())
	}
	// 9, 8 … 0 ms late, then 85, 84 … 76.
	for q, want := range map[float64]int64{25: 4 * ms, 50: 9 * ms, 55: 76 * ms, 100: 85 * ms} {
		if got := h.ValueAtQuantile(q); got < want-want/100 || got > want+want/100 {
			t.Errorf("quantile %v of the lateness is %v, want %v", q, time.Duration(got), time.Duration(want))
		}
	}
}

// stoppedEnv tells the test binary to be the client that a test stops.
const stoppedEnv = "HDBENCH_TEST_STOPPED_CLIENT"

// A client that is stopped for 12 ms of every 25 is late, and says so.
func TestStoppedClientIsLate(t *testing.T) {
	if os.Getenv(stoppedEnv) != "" {
		cfg := small("")
		cfg.Direct, cfg.Measure = true, time.Second
		if err := json.NewEncoder(os.Stdout).Encode(run(t, cfg)); err != nil {
			t.Fatal(err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestStoppedClientIsLate$")
	cmd.Env = append(os.Environ(), stoppedEnv+"=1")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("the client: %v\n%s", err, &out)
			}
			var r measure.Load
			if err := json.NewDecoder(&out).Decode(&r); err != nil {
				t.Fatal(err)
			}
			if r.Pacing.P99NS < int64(10*time.Millisecond) {
				t.Errorf("pacing %+v of a client that was stopped for 12 ms at a time", r.Pacing)
			}
			return
		default:
		}
		cmd.Process.Signal(unix.SIGSTOP)
		time.Sleep(12 * time.Millisecond)
		cmd.Process.Signal(unix.SIGCONT)
		time.Sleep(13 * time.Millisecond)
	}
}

// A thread that has fallen behind sends a bounded turn before it reads again, and
// its next turn goes on with the flows that had none.
func TestTurnIsBoundedAndGoesRound(t *testing.T) {
	for _, rate := range []units.Rate{800 * units.Gbps, units.Max} {
		cfg := small("")
		cfg.Direct, cfg.Pairs, cfg.Rate = true, 40, rate
		s, th, start := byHand(t, cfg)
		served := func() (flows int) {
			for _, f := range s.flows {
				if f.send.seq > 0 {
					flows++
				}
			}
			return flows
		}
		if err := th.turn(start + int64(time.Second)); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, f := range s.flows {
			n := int(f.send.seq) * th.tmpl.size
			if total += n; n > MaxTickBurst {
				t.Errorf("%v: flow %d has sent %d bytes in one turn", rate, f.id, n)
			}
		}
		if total > maxTurn+MaxTickBurst || served() == 40 || !th.behind {
			t.Errorf("%v: one turn sent %d bytes of %d flows; behind: %v", rate, total, served(), th.behind)
		}
		for range 2 {
			if err := th.turn(start + int64(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if served() != 40 {
			t.Errorf("%v: %d of 40 flows have sent something after three turns", rate, served())
		}
	}
}

// When a relay takes less than is offered, every flow of a sender has its share.
func TestFanOutUnderBackPressureIsFair(t *testing.T) {
	for _, rate := range []units.Rate{100 * units.Gbps, units.Max} {
		relay := newFakeRelay(t, nil)
		cfg := small(relay.addr())
		cfg.Pattern, cfg.Pairs, cfg.Payload, cfg.Rate, cfg.Burst = FanOut, 20, 1400, rate, Burst{Frames: 4}
		s, th, start := byHand(t, cfg)
		var sum, squares float64
		for sum < 20*1000 {
			if err := th.turn(start + int64(time.Minute)); err != nil {
				t.Fatal(err)
			}
			events, err := th.poll.Wait(time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				if err := th.event(&events[i]); err != nil {
					t.Fatal(err)
				}
			}
			sum, squares = 0, 0
			for _, f := range s.flows {
				n := float64(f.send.accepted)
				sum += n
				squares += n * n
			}
		}
		if jain := sum * sum / squares / 20; jain < 0.98 {
			t.Errorf("%v: Jain's index of the flows is %.3f", rate, jain)
		}
	}
}
