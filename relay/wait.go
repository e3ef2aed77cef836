package relay

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"hdbench/internal/epoll"
)

// wait returns what sockets are ready, sleeping if nothing else is to be done.
func (w *worker) wait() ([]epoll.Event, error) {
	moderated := w.cfg.Moderation > 0 && !w.draining
	if moderated && w.pressed && !w.backlog {
		w.nap()
	}
	w.backlog = false
	if w.pass.skipped && !w.pass.moved {
		doze(ringNap)
	}
	if w.pressed || w.hasWork() {
		events, err := w.poll.Poll()
		if err != nil || len(events) > 0 || w.hasWork() {
			w.lastWake = w.clock.Now()
			return events, err
		}
		w.pressed = false // nothing came during the nap: the next packet is taken at once
	}
	w.asleep.Store(true)
	if w.hasWork() { // a producer may have looked at asleep just before
		w.asleep.Store(false)
		return w.poll.Poll()
	}
	// No timeout, if it can be helped: setting a timer for every sleep, and taking
	// it back, costs a virtual machine two exits. The chores come by mail.
	timeout := time.Duration(-1)
	switch {
	case w.draining:
		timeout = drainPoll
	case len(w.held) > 0:
		timeout = holdTime
	}
	w.c.waits++
	events, err := w.poll.Wait(timeout)
	w.asleep.Store(false)
	if moderated {
		now := w.clock.Now()
		w.pressed = now-w.lastWake < int64(w.cfg.Moderation)
		w.lastWake = now
	}
	return events, err
}

// nap sleeps until Moderation has passed since the last wake-up. What comes
// meanwhile is taken together afterwards.
func (w *worker) nap() {
	rest := w.lastWake + int64(w.cfg.Moderation) - w.clock.Now()
	if rest <= 0 {
		return
	}
	w.c.moderated++
	doze(rest)
}

// doze sleeps for so many nanoseconds.
func doze(ns int64) {
	ts := unix.NsecToTimespec(ns)
	// Raw for the reason given at epoll.Poller.Wait. A signal cuts the sleep
	// short, which does no harm.
	unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
}

// hasWork reports whether something other than a socket wants attention.
func (w *worker) hasWork() bool {
	if w.mail.waiting.Load() {
		return true
	}
	for i := range w.in {
		if r := w.in[i].ring; r != nil && !r.empty() {
			return true
		}
	}
	return len(w.opening) > 0
}
