//go:build !lab

package transport

// kindsHere are the transports of any machine. The lab's kernels have all.
func kindsHere() []Kind { return []Kind{TCP, TLS} }
