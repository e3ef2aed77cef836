//go:build !lab

package interop

import "hdbench/internal/transport"

// kindsHere are the transports of any machine. The lab's kernels have all.
func kindsHere() []transport.Kind { return []transport.Kind{transport.TCP, transport.TLS} }
