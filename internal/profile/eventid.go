package profile

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// eventID is the number by which samples name an event. x/sys has no wrapper for
// an ioctl that writes 64 bits.
func eventID(fd int) (uint64, error) {
	var id uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_ID, uintptr(unsafe.Pointer(&id)))
	if errno != 0 {
		return 0, errno
	}
	return id, nil
}
