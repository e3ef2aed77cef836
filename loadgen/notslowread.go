//go:build !slowreader

package loadgen

// slowRead does nothing: only the build that tests what a sweep says of a slow client
// is slow.
func (t *thread) slowRead() {}
