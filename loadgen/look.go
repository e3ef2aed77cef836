package loadgen

import (
	"time"

	"hdbench/internal/epoll"
)

const (
	// maxNap bounds a sleep inside the window: only a sleep that lasts longer than it
	// should shows that the thread had no CPU.
	maxNap = time.Millisecond
	// napSlack is how much longer it may last.
	napSlack = 100 * time.Microsecond
)

// await returns what has happened, and waits for something until next.
func (t *thread) await(next int64) ([]epoll.Event, error) {
	began := t.clock.Now()
	events, err := t.poll.Poll()
	t.notYet = t.looked
	if err != nil || len(events) > 0 {
		t.noteLook(len(events), began)
		return events, err
	}
	t.looked, t.quiet, t.notYet = began, began, began
	nap := next - began
	if t.tl != nil && !t.stopped {
		nap = min(nap, int64(maxNap))
	}
	if nap <= 0 {
		return nil, nil
	}
	if events, err = t.poll.Wait(time.Duration(nap)); err != nil {
		return nil, err
	}
	// What ended a sleep in time has just come. After longer ones it may have waited.
	if now := t.clock.Now(); now <= began+nap+int64(napSlack) {
		t.notYet = now
		t.noteLook(len(events), now)
	}
	return events, nil
}

func (t *thread) noteLook(listed int, at int64) {
	if listed < eventBatch-1 { // the eventfd may have had a place
		t.looked = at
	}
}

// maxExtra bounds the polls of over.
const maxExtra = 256

// over reports whether the thread may end at the given time. A thread that has slept
// past it has frames waiting in its sockets: they have arrived, and nobody else will
// count them. So it ends after a look that found nothing.
func (t *thread) over(now, until int64) bool {
	if now < until {
		t.extra = 0
		return false
	}
	t.extra++
	return t.quiet >= until || t.extra > maxExtra
}
