//go:build lab

package interop

import "hdbench/internal/transport"

func kindsHere() []transport.Kind { return transport.Kinds() }
