package scenarios

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

// withLooks runs a test with trials whose looks at the distance give these, the last one
// ever after. Its clock is its own.
func withLooks(t *testing.T, test func(trial func() *measure.Distance), ns ...int) {
	synctest.Test(t, func(t *testing.T) {
		i := 0
		n := &nearness{near: probe.NewNear(func(context.Context) (time.Duration, error) {
			at := ns[min(i, len(ns)-1)]
			i++
			if at == 0 {
				return 0, probe.ErrNoDistance
			}
			return time.Duration(at), nil
		})}
		test(func() *measure.Distance {
			d := n.before(t.Context())
			n.after(t.Context(), d)
			return d
		})
	})
}

// repeated is a distance so many times.
func repeated(ns, times int, then ...int) []int {
	var all []int
	for range times {
		all = append(all, ns)
	}
	return append(all, then...)
}

func TestASweepWaitsForItsCPUsToBeNear(t *testing.T) {
	withLooks(t, func(trial func() *measure.Distance) {
		if d := trial(); d.BeforeNS != 90 || d.AfterNS != 90 || d.UsualNS != 90 || d.Apart() {
			t.Errorf("near all the time: %+v", d)
		}
		if d := trial(); d.BeforeNS != 95 || d.AfterNS != 92 || d.UsualNS != 90 || d.Apart() {
			t.Errorf("near after two looks: %+v", d)
		}
	}, repeated(90, 2, 490, 480, 95, 92)...)
}

func TestCPUsThatAreMovedMeanwhileAreApart(t *testing.T) {
	withLooks(t, func(trial func() *measure.Distance) {
		if d := trial(); !d.Apart() || d.BeforeNS != 90 || d.AfterNS != 490 {
			t.Errorf("%+v", d)
		}
	}, repeated(90, 1, 490)...)
}

// CPUs that are mostly apart are not waited for, and no trial is marked for it: that is
// how they are. Nor is a sweep held up for long.
func TestCPUsThatStayApartAreNotWaitedFor(t *testing.T) {
	const near = 10
	withLooks(t, func(trial func() *measure.Distance) {
		for range near {
			trial()
		}
		waited := 0.0
		for range near {
			d := trial()
			if d.UsualNS != 90 || !d.Apart() || d.Waited > 5.1 {
				t.Errorf("at first: %+v", d)
			}
			waited += d.Waited
		}
		if d := trial(); waited < 10 || waited > 12 || d.Waited != 0 {
			t.Errorf("waited %.1f s in all, and then %.1f", waited, d.Waited)
		}
		for range near {
			trial()
		}
		if d := trial(); d.UsualNS != 490 || d.Apart() || d.BeforeNS != 490 || d.Waited != 0 {
			t.Errorf("after some: %+v", d)
		}
	}, repeated(90, 2*near, 490)...)
}

func TestADistanceThatIsNotKnownIsNone(t *testing.T) {
	withLooks(t, func(trial func() *measure.Distance) {
		if d := trial(); d.NA == "" || d.Apart() {
			t.Errorf("%+v", d)
		}
	}, 0)
	var none *nearness
	if d := none.before(t.Context()); d != nil {
		t.Errorf("of two hosts: %+v", d)
	}
	none.after(t.Context(), nil)
}
