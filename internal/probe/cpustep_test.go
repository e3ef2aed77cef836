package probe

import (
	"testing"
	"time"
)

func TestStepOfAClock(t *testing.T) {
	for _, tt := range []struct {
		name       string
		tick, step time.Duration
	}{
		{"fine", 1, 150 * time.Nanosecond},
		{"ticks of 10 ms", 1000, 10 * time.Millisecond},
	} {
		n := time.Duration(7)
		got, err := cpuStep(func() (time.Duration, error) {
			n++
			return n / tt.tick * tt.step, nil
		})
		if err != nil || got != tt.step {
			t.Errorf("%s: step %v, %v; want %v", tt.name, got, err, tt.step)
		}
	}
	stuck, err := cpuStep(func() (time.Duration, error) { return time.Second, nil })
	if err != nil || stuck <= maxCPUStep {
		t.Errorf("a clock that stands still: %v, %v", stuck, err)
	}
}
