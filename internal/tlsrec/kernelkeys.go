package tlsrec

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"
)

// KernelKeys are the traffic secrets of a socket whose records the kernel seals.
// They are kept to change its keys, which kernels can from Linux 6.14 on.
type KernelKeys struct {
	suite   Suite
	in, out []byte
	set     func(fd, option int, info []byte) error
	send    func(fd int, typ byte, b []byte) error
}

// KernelKeys are those of a session that EnableKernel has given to the kernel; nil
// where the kernel cannot change keys.
func (s *Session) KernelKeys() *KernelKeys {
	if !changesKeys(kernelRelease()) {
		return nil
	}
	return &KernelKeys{
		suite: s.Suite, in: bytes.Clone(s.In), out: bytes.Clone(s.Out),
		set: setKernelKeys, send: sendKernelRecord,
	}
}

// changesKeys reports whether a Linux of this release can change the keys of a TLS
// socket. Before 6.14 the second TLS_RX fails with EBUSY.
func changesKeys(release string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return n == 2 && (major > 6 || major == 6 && minor >= 14)
}

// updateIn goes on to the next keys of what is received.
func (k *KernelKeys) updateIn(fd int) error { return k.update(fd, tlsRX, "TLS_RX", &k.in) }

// UpdateOut sends a KeyUpdate and goes on to the next keys of what is sent. The
// error is EAGAIN if there is no room now; nothing has changed then.
func (k *KernelKeys) UpdateOut(fd int) error {
	message := keyUpdate(false)
	if err := k.send(fd, TypeHandshake, message[:]); err != nil {
		return err
	}
	return k.update(fd, tlsTX, "TLS_TX", &k.out)
}

func (k *KernelKeys) update(fd, option int, name string, secret *[]byte) error {
	next, err := nextSecret(k.suite, *secret)
	if err != nil {
		return err
	}
	clear(*secret)
	*secret = next
	if err := install(k.set, fd, option, k.suite, next); err != nil {
		why := ""
		if err == unix.EBUSY {
			why = " (Linux 6.14 or later can)"
		}
		return fmt.Errorf("%w: the kernel does not take new keys: set %s: %w%s", ErrKeyUpdate, name, err, why)
	}
	return nil
}

func (k *KernelKeys) wipe() {
	clear(k.in)
	clear(k.out)
}
