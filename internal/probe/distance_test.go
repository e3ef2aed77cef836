package probe

import (
	"errors"
	"testing"
	"time"

	"hdbench/internal/cpu"
)

// Between two CPUs a cache line takes more than nothing and less than a wake-up; or
// others had the CPUs, which is said. A CPU that is not there is an error.
func TestDistance(t *testing.T) {
	available, err := cpu.Available()
	if err != nil {
		t.Fatal(err)
	}
	cpus := available.List()
	if len(cpus) > 1 {
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
