package scenarios

import "time"

// pace estimates how long the steps of a phase will take. A step that failed is no
// measure for the others: a relay that does not start takes all the time it is given,
// and is given up after a few.
type pace struct {
	now       func() time.Time
	steps, at int
	began     time.Time // of the phase
	last      time.Time // when the last step ended
	each      time.Duration
	good      int
	took      time.Duration // by the good ones
}

func newPace(now func() time.Time, steps int) pace {
	return pace{now: now, steps: steps, began: now(), last: now()}
}

func (p *pace) done(failed bool) {
	now := p.now()
	p.at++
	if !failed {
		p.good++
		p.took += now.Sub(p.last)
	}
	p.last = now
}

// left is about how long the phase will take yet.
func (p *pace) left() time.Duration {
	each := p.each
	switch {
	case p.good > 0:
		each = p.took / time.Duration(p.good)
	case each == 0 && p.at > 0:
		each = p.last.Sub(p.began) / time.Duration(p.at)
	}
	return each * time.Duration(p.steps-p.at)
}
