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
