package probe

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"hdbench/internal/cpu"
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
	// on runs f on a CPU, from a thread that ends with it.
	on := func(c int, f func()) <-chan error {
		pinned := make(chan error, 1)
		threads.Go(func() {
			runtime.LockOSThread() // never unlocked: no other is to inherit its CPU
			err := cpu.Pin(cpu.Of(c))
			pinned <- err
			if err == nil {
				f()
			}
		})
		return pinned
	}
	if err := <-on(b, func() { answerPings(&ping, &pong, &stop) }); err != nil {
		return 0, err
	}
	timed := make(chan time.Duration, 1)
	if err := <-on(a, func() { timed <- timePings(&ping, &pong) }); err != nil {
		return 0, err
	}
	if shortest := <-timed; shortest > 0 {
		return shortest, nil
	}
	return 0, ErrNoDistance
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
