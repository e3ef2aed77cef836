package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/user"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultHostLock is the lock of a whole host. Who has split a host into parts
// that do not disturb each other gives each part's agents a lock of their own.
const DefaultHostLock = "host"

// ErrBusy means that another sweep is being run on the host.
var ErrBusy = errors.New("the host is in use by another sweep")

// hostLock keeps a host for the agents of one sweep. It is a unix socket with an
// abstract name: the kernel gives the name to one process of the host at a time,
// whoever its user is, and takes it back when that process ends, however it ends.
// So there is no file to be left behind, and no stale lock. Who comes second asks
// the first: agents of the same sweep share the lock, another sweep's are told who
// has it.
//
// A host is what shares a network: containers with a network of their own have a
// lock of their own, even on one machine.
type hostLock struct {
	address string
	ask     lockQuestion
	lost    func(error) // told once if another sweep takes the lock from us

	mu       sync.Mutex
	ln       net.Listener        // guarded by mu; nil unless we are the first
	first    net.Conn            // guarded by mu; to who is; nil if we are
	guests   map[string]net.Conn // guarded by mu; of the first: the other agents of the sweep
	released bool                // guarded by mu
}

// lockQuestion is who asks for the lock.
type lockQuestion struct {
	Sweep string    `json:"sweep"` // tells sweeps apart; no secret
	Agent string    `json:"agent"`
	Who   string    `json:"who"` // for people
	Since time.Time `json:"since"`
}

// lockAnswer is what the first says to it.
type lockAnswer struct {
	Granted bool         `json:"granted"`
	Holder  lockQuestion `json:"holder"`
}

// Bounds of asking.
const (
	lockPatience = 2 * time.Second // for the first's answer
	maxLockText  = 4 << 10
)

// sweepID is a controller's, without what it proves itself with.
func sweepID(controller string) string {
	sum := sha256.Sum256([]byte("hdbench sweep " + controller))
	return hex.EncodeToString(sum[:8])
}

// lockHost takes a host's lock, or a share of it.
func lockHost(name string, ask lockQuestion, lost func(error)) (*hostLock, error) {
	l := &hostLock{address: "@hdbench-lock-" + name, ask: ask, lost: lost, guests: map[string]net.Conn{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l, l.take()
}

// take becomes the first, or a guest of the first. The caller holds mu.
func (l *hostLock) take() error {
	var err error
	for deadline := time.Now().Add(lockPatience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if l.ln, err = net.Listen("unix", l.address); err == nil {
			go l.receive(l.ln)
			return nil
		}
		l.ln = nil
		if !errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("lock the host: %w", err)
		}
		var conn net.Conn
		if conn, err = net.DialTimeout("unix", l.address, lockPatience); err != nil {
			continue // it has just ended
		}
		var granted bool
		if granted, err = l.askFirst(conn); granted {
			l.first = conn
			go l.watch(conn)
			return nil
		}
		conn.Close()
		if errors.Is(err, ErrBusy) {
			return err
		}
	}
	return fmt.Errorf("%w, which does not say whose it is: %w", ErrBusy, err)
}

// askFirst asks who has the lock for a share. An error that is not ErrBusy means
// that it may just be ending.
func (l *hostLock) askFirst(conn net.Conn) (granted bool, err error) {
	if err := conn.SetDeadline(time.Now().Add(lockPatience)); err != nil {
		return false, err
	}
	if err := json.NewEncoder(conn).Encode(l.ask); err != nil {
		return false, err
	}
	var a lockAnswer
	if err := json.NewDecoder(io.LimitReader(conn, maxLockText)).Decode(&a); err != nil {
		if errors.Is(err, io.EOF) {
			return false, err
		}
		return false, fmt.Errorf("%w: %s has its lock and does not say for what: %v", ErrBusy, peer(conn), err)
	}
	if !a.Granted {
		if a.Holder.Sweep == l.ask.Sweep {
			return false, fmt.Errorf("%w: an agent %q that this sweep has lost is still ending", ErrBusy, a.Holder.Agent)
		}
		return false, fmt.Errorf("%w: %q has it since %s (UTC), by agent %q, %s; wait for its end, or ask them", ErrBusy,
			a.Holder.Who, a.Holder.Since.UTC().Format("2006-01-02 15:04:05"), a.Holder.Agent, peer(conn))
	}
	return true, conn.SetDeadline(time.Time{})
}

// peer says which process is at the other end, as the kernel knows it.
func peer(c net.Conn) string {
	var cred *unix.Ucred
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err == nil {
		var cerr error
		err = raw.Control(func(fd uintptr) { cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
		err = errors.Join(err, cerr)
	}
	if err != nil {
		return "a process nobody knows"
	}
	who := strconv.Itoa(int(cred.Uid))
	if u, err := user.LookupId(who); err == nil {
		who = u.Username
	}
	return fmt.Sprintf("process %d of user %s", cred.Pid, who)
}

// receive answers those who come second.
func (l *hostLock) receive(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return // released
		}
		go l.answer(conn)
	}
}

// answer tells one of them who has the lock; a guest has its share for as long as
// its connection lasts.
func (l *hostLock) answer(conn net.Conn) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(lockPatience)) != nil {
		return
	}
	var q lockQuestion
	if json.NewDecoder(io.LimitReader(conn, maxLockText)).Decode(&q) != nil {
		return
	}
	l.mu.Lock()
	a := lockAnswer{Holder: l.ask, Granted: !l.released && q.Sweep == l.ask.Sweep && q.Agent != l.ask.Agent && l.guests[q.Agent] == nil}
	switch {
	case l.released:
		l.mu.Unlock()
		return
	case a.Granted:
		l.guests[q.Agent] = conn
	case q.Sweep == l.ask.Sweep:
		a.Holder.Agent = q.Agent
	}
	l.mu.Unlock()
	if json.NewEncoder(conn).Encode(a) == nil && a.Granted && conn.SetDeadline(time.Time{}) == nil {
		_, _ = io.Copy(io.Discard, conn) // until it ends
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Granted {
		delete(l.guests, q.Agent)
	}
}

// watch waits for the end of the first, and takes its place.
func (l *hostLock) watch(conn net.Conn) {
	_, _ = io.Copy(io.Discard, conn)
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return
	}
	l.first = nil
	if err := l.take(); err != nil {
		l.released = true
		go l.lost(err)
	}
}

// release gives the lock, or the share of it, back.
func (l *hostLock) release() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
	if l.ln != nil {
		l.ln.Close()
	}
	if l.first != nil {
		l.first.Close()
	}
	for _, g := range l.guests {
		g.Close() // one of them takes our place
	}
}
