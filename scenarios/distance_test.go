package scenarios

import (
	"context"
	"errors"
	"testing"
	"time"

	"hdbench/internal/measure"
)

// looks is a nearness whose looks give these, the last one ever after.
func looks(ns ...int) (*nearness, func() *measure.Distance) {
	i := 0
	n := &nearness{began: time.Now(), look: func(context.Context, int, int) (time.Duration, error) {
		at := ns[min(i, len(ns)-1)]
		i++
		if at == 0 {
			return 0, errors.New("the CPUs were busy with others")
		}
		return time.Duration(at), nil
	}}
	return n, func() *measure.Distance {
		d := n.before(context.Background())
		n.after(context.Background(), d)
		return d
	}
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
	_, trial := looks(repeated(90, 2, 490, 480, 95, 92)...)
	if d := trial(); d.BeforeNS != 90 || d.AfterNS != 90 || d.UsualNS != 90 || d.Apart() {
		t.Errorf("near all the time: %+v", d)
	}
	if d := trial(); d.BeforeNS != 95 || d.AfterNS != 92 || d.UsualNS != 90 || d.Apart() {
		t.Errorf("near after two looks: %+v", d)
	}
}

func TestCPUsThatAreMovedMeanwhileAreApart(t *testing.T) {
	_, trial := looks(repeated(90, 1, 490)...)
	if d := trial(); !d.Apart() || d.BeforeNS != 90 || d.AfterNS != 490 {
		t.Errorf("%+v", d)
	}
}

// CPUs that are mostly apart are not waited for, and no trial is marked for it: that is
// how they are. Nor is a sweep held up for long.
func TestCPUsThatStayApartAreNotWaitedFor(t *testing.T) {
	n, trial := looks(repeated(90, 2, 490)...)
	trial()
	n.waited = time.Hour // so much of its time it must not take
	if d := trial(); d.UsualNS != 90 || !d.Apart() || d.Waited != 0 {
		t.Errorf("at first: %+v", d)
	}
	for range 10 {
		trial()
	}
	n.waited = 0
	if d := trial(); d.UsualNS != 490 || d.Apart() || d.BeforeNS != 490 || d.Waited != 0 {
		t.Errorf("after some: %+v", d)
	}
}

func TestADistanceThatIsNotKnownIsNone(t *testing.T) {
	_, trial := looks(0)
	if d := trial(); d.NA == "" || d.Apart() {
		t.Errorf("%+v", d)
	}
	var none *nearness
	if d := none.before(context.Background()); d != nil {
		t.Errorf("of two hosts: %+v", d)
	}
	none.after(context.Background(), nil)
}
