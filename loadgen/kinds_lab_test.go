//go:build lab

package loadgen

import "hdbench/internal/transport"

func kindsHere() []transport.Kind { return transport.Kinds() }
