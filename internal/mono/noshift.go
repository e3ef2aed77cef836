//go:build !clockshift

package mono

// shift is nothing: only a build for the tests of many hosts' clocks has one.
type shift struct{}

func newShift() shift           { return shift{} }
func (shift) of(ns int64) int64 { return ns }
func (shift) String() string    { return "" }
