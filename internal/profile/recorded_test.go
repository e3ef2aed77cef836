package profile

import (
	"flag"
	"os"
	"os/exec"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "record testdata/ring.bin anew, on this machine")

// recordedRing is what a kernel has written: of dd from /dev/zero to /dev/null, and
// of a shell that starts another program, on Linux 6.18 with cpu-clock.
const recordedRing = "testdata/ring.bin"

func TestARecordedRing(t *testing.T) {
	if *update {
		recordRing(t)
	}
	b, err := os.ReadFile(recordedRing)
	if err != nil {
		t.Fatal(err)
	}
	size := 1
	for size < len(b) {
		size *= 2
	}
	r := &ring{data: append(b, make([]byte, size-len(b))...)}
	var h heard
	if err := r.between(0, uint64(len(b)), h.handler()); err != nil {
		t.Fatal(err)
	}
	if len(h.samples) < 20 || len(h.maps) < 2 || len(h.forks) < 1 || h.lost != 0 {
		t.Fatalf("%d samples, %d mappings, %d forks, %d lost", len(h.samples), len(h.maps), len(h.forks), h.lost)
	}
	execs := 0
	for _, c := range h.comms {
		if c.exec {
			execs++
			if c.name != "dd" {
				t.Errorf("it became %q", c.name)
			}
		}
	}
	if execs == 0 {
		t.Error("no exec is recorded")
	}
	both := 0
	for i := range h.samples {
		s := newStack(program{}, &h.samples[i])
		if len(s.kernel) > 0 && len(s.user) > 0 {
			both++
		}
		for _, a := range s.kernel {
			if a>>63 == 0 {
				t.Errorf("%x is in the kernel", a)
			}
		}
		for _, a := range s.user {
			if a>>63 == 1 {
				t.Errorf("%x is in user space", a)
			}
		}
	}
	if both < 10 {
		t.Errorf("%d samples of %d have both a kernel and a user stack", both, len(h.samples))
	}
	for _, m := range h.maps {
		if m.file == "" || m.length == 0 {
			t.Errorf("mapping %+v", m)
		}
	}
}

// recordRing keeps what comes into the rings while a shell starts dd.
func recordRing(t *testing.T) {
	c := exec.Command("sh", "-c", "sleep 0.3; dd if=/dev/zero of=/dev/null bs=1M count=12000 2>/dev/null; true")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	s, err := Open(Config{PID: c.Process.Pid, FrequencyHz: 97})
	if err != nil {
		t.Fatal(err)
	}
	defer s.taps.close()
	if err := s.taps.enable(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond)
	if err := s.taps.disable(); err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, r := range s.taps.rings {
		if *r.head > uint64(len(r.data)) {
			t.Fatal("the ring went round")
		}
		b = append(b, r.data[:*r.head]...)
	}
	if err := os.WriteFile(recordedRing, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
