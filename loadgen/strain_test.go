package loadgen

import (
	"testing"
	"time"

	"hdbench/internal/units"
)

func TestDueBefore(t *testing.T) {
	const tick = 100 * time.Microsecond
	for _, pps := range []float64{333, 5000, 1e6} {
		for _, burst := range []int{1, 7} {
			for _, end := range []int64{0, 1, 100_000, 100_001, 7_654_321, 50_000_000} {
				s := newSchedule(0, tick, pps, 2, 3, burst)
				for taken := range 20 {
					var want uint64
					for c := s; c.next() < end; c.take() {
						want++
					}
					if got := s.dueBefore(end); got != want {
						t.Fatalf("%v pps, burst %d, %d taken: %d frames are due before %d, want %d", pps, burst, taken, got, end, want)
					}
					s.take()
				}
			}
		}
	}
}

// The lag of a read counts from when its oldest data may have come.
func TestReceiveLagBounds(t *testing.T) {
	var q recvQueue
	for i, c := range []struct {
		n, left           int
		now, notYet, want int64
	}{
		{100, 0, 1000, 900, 100},     // a poll at 900 did not list it
		{100, 0, 1500, 950, 500},     // it was emptied at 1000
		{256, 1000, 2000, 1900, 100}, // leaves 1000 bytes, come after 1900
		{256, 900, 2100, 2050, 200},  // though polls list other things since
		{256, 900, 2200, 2150, 300},  // the first 1000 not yet taken
		{256, 900, 2300, 2250, 400},
		{256, 700, 2400, 2350, 500}, // takes the last of them; what is left has come after 2000
		{700, 0, 2500, 2450, 500},
		{100, 0, 2700, 2650, 50},
	} {
		if got := q.read(c.n, c.left, c.now, c.notYet); got != c.want {
			t.Errorf("read %d: lag %d, want %d", i, got, c.want)
		}
	}
}

// What was due while the thread was away, and its sockets took data, is its own fault.
func TestAbsentClientIsAtFault(t *testing.T) {
	cfg := small("")
	cfg.Direct = true
	s, th, start := byHand(t, cfg)
	th.beginStrain()
	if err := th.turn(start + int64(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	th.tl.end = start + int64(time.Second)
	th.endStrain()
	// 5000 a second, of which those of the first 100 ms have left.
	if n := th.strain.dueUnsent; n < 4490 || n > 4500 {
		t.Errorf("%d packets due and unsent, want 4500 less one of each flow", n)
	}
	r, err := s.strain(th.tl)
	if err != nil {
		t.Fatal(err)
	}
	if r.Blocked != 0 || r.SendLag.Count < 496 || r.DueUnsent != th.strain.dueUnsent {
		t.Errorf("%+v", r)
	}
}

// What a relay does not read is not the client's fault.
func TestPushedBackClientIsNotAtFault(t *testing.T) {
	relay := newFakeRelay(t, nil)
	cfg := small(relay.addr())
	cfg.Payload, cfg.Rate = 60_000, 100*units.Gbps
	s, th, _ := byHand(t, cfg)
	relay.mu.Lock() // it forwards nothing, and reads no further
	defer relay.mu.Unlock()
	blocked := func() bool {
		for _, p := range th.senders {
			if !p.blocked {
				return false
			}
		}
		return true
	}
	for quiet := 0; quiet < 3 || !blocked(); {
		if err := th.turn(th.clock.Now()); err != nil {
			t.Fatal(err)
		}
		events, err := th.poll.Wait(100 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		quiet++
		for i := range events {
			quiet = 0
			if err := th.event(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	th.tl.begin = th.clock.Now()
	th.tl.end = th.tl.begin + int64(time.Second)
	th.beginStrain()
	th.endStrain()
	r, err := s.strain(th.tl)
	if err != nil {
		t.Fatal(err)
	}
	if r.DueUnsent != 0 || r.Blocked != 1 {
		t.Errorf("%d packets are the client's fault, blocked for %v of the window", r.DueUnsent, r.Blocked)
	}
}

// Reads that fill the buffer, and data that waited, are seen.
func TestLateReaderIsSeen(t *testing.T) {
	cfg := small("")
	cfg.Direct = true
	s, th, start := byHand(t, cfg)
	th.buf = th.buf[:1024]
	th.beginStrain()
	if err := th.turn(start + int64(100*time.Millisecond)); err != nil { // 30 KB a flow
		t.Fatal(err)
	}
	th.notYet = th.clock.Now()
	time.Sleep(5 * time.Millisecond)
	p := s.flows[0].to
	for inQueue(p.sock.FD()) > 0 {
		if err := th.readable(p); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.strain(th.tl)
	if err != nil {
		t.Fatal(err)
	}
	if r.Reads < 25 || r.FullReads < r.Reads-1 || r.QueueLooks == 0 || r.QueueMean < 10_000 {
		t.Errorf("%d reads, %d full; %d looks, %.0f bytes", r.Reads, r.FullReads, r.QueueLooks, r.QueueMean)
	}
	if r.ReceiveLag.Count != int64(r.Reads) || r.ReceiveLag.P50NS < int64(5*time.Millisecond) {
		t.Errorf("receive lag %+v of data that waited for 5 ms", r.ReceiveLag)
	}
}

// A thread that slept past the end of the drain reads what has arrived before it
// ends: a frame left unread would be missing in the accounts.
func TestThreadEndsWithNothingUnread(t *testing.T) {
	for _, drained := range []bool{true, false} {
		cfg := small("")
		cfg.Direct = true
		s, th, start := byHand(t, cfg)
		s.phase.Store(int32(phaseRun))
		if err := th.turn(start + int64(100*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		// It last looked, and read, before that.
		th.stopped, th.quiet, th.now = true, 0, 0
		now := th.clock.Now()
		th.tl.end, th.tl.drainedBy = now-int64(time.Second), now-int64(time.Millisecond)
		if drained {
			s.settledAt.Store(th.tl.end + 1)
			th.tl.drainedBy = now + int64(time.Hour)
		}
		for {
			done, err := th.round()
			if err != nil {
				t.Fatal(err)
			}
			if done {
				break
			}
		}
		for _, f := range s.flows {
			if f.recv.arrived.unique != f.send.accepted {
				t.Errorf("drained %v: flow %d ended with %d of %d packets read", drained, f.id, f.recv.arrived.unique, f.send.accepted)
			}
		}
	}
}
