//go:build slowrelay

package relay

// slowShare is how much longer a worker of this build takes for everything it
// does. The gate must notice: see scripts/gate-selftest.sh.
const slowShare = 0.10

// slow wastes a share of the round that began at w.now.
func (w *worker) slow() {
	now := w.clock.Now()
	for until := now + int64(slowShare*float64(now-w.now)); now < until; {
		now = w.clock.Now()
	}
}
