package mono

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestNowIsCLOCK_MONOTONIC(t *testing.T) {
	c, d := New(), New()
	for range 100 {
		var before, after unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
			t.Fatal(err)
		}
		a, b := c.Now(), d.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
			t.Fatal(err)
		}
		// The pairing of the two clocks may be off by half its gap.
		const slack = 20_000
		for _, now := range []int64{a, b} {
			if now < before.Nano()-slack || now > after.Nano()+slack {
				t.Fatalf("now = %d, outside [%d, %d] by more than %d ns", now, before.Nano(), after.Nano(), slack)
			}
		}
	}
}

func TestNowDoesNotAllocate(t *testing.T) {
	c := New()
	if n := testing.AllocsPerRun(100, func() { c.Now() }); n != 0 {
		t.Fatalf("%v allocations per reading", n)
	}
}

// All processes of a host count from one zero, whichever clock they ask.
func TestZeroIsTheHosts(t *testing.T) {
	a, err := New().Zero()
	if err != nil || a == "" {
		t.Fatalf("%q, %v", a, err)
	}
	if b, err := New().Zero(); err != nil || a != b {
		t.Errorf("%q and %q, %v", a, b, err)
	}
}
