package epoll

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New(8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestReadableUntilRead(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	if err := p.Add(a, Readable, 7, 9); err != nil {
		t.Fatal(err)
	}
	if evs, err := p.Poll(); err != nil || len(evs) != 0 {
		t.Fatalf("an idle socket has events %v, %v", evs, err)
	}
	unix.Write(b, []byte("x"))
	for range 2 { // level-triggered: it stays ready
		evs, err := p.Wait(time.Minute)
		if err != nil || len(evs) != 1 || evs[0].Fd != 7 || evs[0].Pad != 9 {
			t.Fatalf("events %v, %v; want slot 7, generation 9", evs, err)
		}
	}
	if err := p.Modify(a, Writable, 7, 9); err != nil {
		t.Fatal(err)
	}
	if evs, err := p.Poll(); err != nil || len(evs) != 1 || evs[0].Events&Writable == 0 {
		t.Fatalf("events %v, %v; want writable", evs, err)
	}
	if err := p.Remove(a); err != nil {
		t.Fatal(err)
	}
	if evs, err := p.Poll(); err != nil || len(evs) != 0 {
		t.Fatalf("a removed socket has events %v, %v", evs, err)
	}
	if err := p.Remove(a); err == nil {
		t.Fatal("removing twice succeeds")
	}
}

func TestWakeEndsTheNextWait(t *testing.T) {
	p := newPoller(t)
	for range 3 {
		p.Wake()
		if evs, err := p.Wait(time.Minute); err != nil || len(evs) != 0 {
			t.Fatalf("events %v, %v; want none", evs, err)
		}
	}
	if evs, err := p.Wait(time.Microsecond); err != nil || len(evs) != 0 {
		t.Fatalf("events %v, %v after the wakes are used up", evs, err)
	}
}

func TestWakeBesideASocket(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	if err := p.Add(a, Readable, 1, 0); err != nil {
		t.Fatal(err)
	}
	unix.Write(b, []byte("x"))
	p.Wake()
	evs, err := p.Poll()
	if err != nil || len(evs) != 1 || evs[0].Fd != 1 {
		t.Fatalf("events %v, %v; want the socket alone", evs, err)
	}
}

func TestWaitDoesNotAllocate(t *testing.T) {
	p := newPoller(t)
	if n := testing.AllocsPerRun(100, func() {
		p.Wake()
		if _, err := p.Wait(time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations a wait", n)
	}
}
