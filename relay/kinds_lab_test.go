//go:build lab

package relay

import "hdbench/internal/transport"

func kindsHere() []transport.Kind { return transport.Kinds() }
