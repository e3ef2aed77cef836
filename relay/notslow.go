//go:build !slowrelay

package relay

// slow does nothing: only the build that tests the gate is slow.
func (w *worker) slow() {}
