//go:build slowreader

package loadgen

import (
	"time"

	"golang.org/x/sys/unix"
)

// readPause is how long a thread of this build sleeps before each read: its
// receivers take no more than a full buffer in that time. A sweep must say that the
// client was slow: see internal/lab/limitstest.
const readPause = 4 * time.Millisecond

func (t *thread) slowRead() {
	ts := unix.NsecToTimespec(int64(readPause))
	_ = unix.Nanosleep(&ts, nil) // EINTR: it slept less
}
