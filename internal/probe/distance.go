package probe

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What a look at two CPUs' distance is made of: the quickest of some rounds of round
// trips. A round that others disturb is longer, and does not count.
const (
	distanceRounds = 64
	distanceTrips  = 25
	// distanceMost bounds a look, whoever else has the CPUs.
	distanceMost = 50 * time.Millisecond
)

// ErrNoDistance means that two CPUs were never both ours for a round.
var ErrNoDistance = errors.New("the CPUs were busy with others")

// cacheLine is a word that shares its cache lines with nothing: a line is 64 or 128
// bytes, and the next one may be fetched with it.
type cacheLine struct {
	_ [256]byte
	v atomic.Int64
	_ [256]byte
}

// Distance is how long a cache line takes from one CPU to another and back: some 100 ns
// where they share a cache, several times that where they do not.
func Distance(a, b int) (time.Duration, error) {
	var ping, pong cacheLine
	var stop atomic.Bool
	var threads sync.WaitGroup
	defer threads.Wait()
	defer stop.Store(true)
	ready := make(chan error, 1)
	threads.Go(func() {
		err := pinThread(b)
		ready <- err
		if err == nil {
			answerPings(&ping, &pong, &stop)
		}
	})
	if err := <-ready; err != nil {
		return 0, err
	}
	type result struct {
		shortest time.Duration
		err      error
	}
	timed := make(chan result, 1)
	threads.Go(func() {
		if err := pinThread(a); err != nil {
			timed <- result{err: err}
			return
		}
		timed <- result{shortest: timePings(&ping, &pong)}
	})
	r := <-timed
	if r.err == nil && r.shortest == 0 {
		r.err = ErrNoDistance
	}
	return r.shortest, r.err
}

// timePings is the mean round trip of the quickest round; 0 if there was none.
func timePings(ping, pong *cacheLine) (shortest time.Duration) {
	end := time.Now().Add(distanceMost)
	n := int64(0)
	for range distanceRounds {
		begin := time.Now()
		for range distanceTrips {
			n++
			ping.v.Store(n)
			for spins := 1; pong.v.Load() != n; spins++ {
				if spins%1024 == 0 && time.Now().After(end) {
					return shortest
				}
			}
		}
		if d := time.Since(begin) / distanceTrips; shortest == 0 || d < shortest {
			shortest = d
		}
	}
	return shortest
}

// answerPings returns every ping until it is stopped.
func answerPings(ping, pong *cacheLine, stop *atomic.Bool) {
	for last := int64(0); !stop.Load(); {
		if n := ping.v.Load(); n != last {
			last = n
			pong.v.Store(n)
		}
	}
}

// pinThread gives the goroutine a thread of its own on a CPU. The thread ends with the
// goroutine, which must not unlock it: no other is to inherit its CPU.
func pinThread(on int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(on)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("CPU %d: %w", on, err)
	}
	return nil
}
