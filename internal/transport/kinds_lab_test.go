//go:build lab

package transport

func kindsHere() []Kind { return Kinds() }
