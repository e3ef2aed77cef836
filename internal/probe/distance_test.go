package probe

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/cpu"
)

// Between two CPUs a cache line takes more than nothing and less than a wake-up; or
// others had the CPUs, which is said. A CPU that is not there is an error.
func TestDistance(t *testing.T) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var cpus []int
	for i := 0; i < cpu.Max && len(cpus) < 2; i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) == 2 {
		d, err := Distance(cpus[0], cpus[1])
		if !errors.Is(err, ErrNoDistance) && (err != nil || d < time.Nanosecond || d > distanceMost) {
			t.Errorf("%v, %v", d, err)
		}
	}
	for _, pair := range [][2]int{{cpus[0], 1023}, {1023, cpus[0]}} {
		if _, err := Distance(pair[0], pair[1]); err == nil || errors.Is(err, ErrNoDistance) {
			t.Errorf("CPUs %v: %v", pair, err)
		}
	}
}
