package tlsrec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What x/sys/unix does not have of <linux/tls.h>.
const (
	tlsTX = 1
	tlsRX = 2

	setRecordType = 1
	getRecordType = 2

	cipherAES128GCM        = 51
	cipherAES256GCM        = 52
	cipherChaCha20Poly1305 = 54
)

// EnableKernel gives a connected TCP socket's records to the kernel, in both
// directions. The session must be new: no record of either direction may have
// been sealed or opened.
func EnableKernel(fd int, s *Session) error {
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_ULP, "tls"); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%w: this kernel (%s) has no module tls: load it (modprobe tls), or use a kernel built with CONFIG_TLS, Linux 5.1 or later",
				ErrNotSupported, kernelRelease())
		}
		return fmt.Errorf("%w: set TCP_ULP to tls: %w (Linux 5.1 or later is needed, this is %s)", ErrNotSupported, err, kernelRelease())
	}
	for _, side := range []struct {
		option int
		name   string
		secret []byte
	}{{tlsTX, "TLS_TX", s.Out}, {tlsRX, "TLS_RX", s.In}} {
		if err := install(setKernelKeys, fd, side.option, s.Suite, side.secret); err != nil {
			return kernelRefused(side.name, s.Suite, err)
		}
	}
	return nil
}

// install gives the kernel the keys of a traffic secret, for records from 0 on.
func install(set func(fd, option int, info []byte) error, fd, option int, suite Suite, secret []byte) error {
	k, err := deriveKeys(suite, secret)
	if err != nil {
		return err
	}
	defer k.wipe()
	info := k.kernelInfo(0)
	defer clear(info)
	return set(fd, option, info)
}

// setKernelKeys is setsockopt of bytes. That of x/sys wants a string, which nobody
// can wipe.
func setKernelKeys(fd, option int, info []byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_TLS, uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(info))), uintptr(len(info)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func kernelRefused(option string, s Suite, err error) error {
	needs := "gcm, ghash-generic, ctr and aes"
	if s == ChaCha20Poly1305 {
		needs = "chacha20poly1305 (Linux 5.11 or later)"
	}
	return fmt.Errorf("%w: set %s for %v: %w (this is Linux %s; the crypto modules %s must be there)", ErrNotSupported, option, s, err, kernelRelease(), needs)
}

// kernelInfo is the struct tls12_crypto_info_… that TLS_TX and TLS_RX take, with
// the record number of the first record.
func (k keys) kernelInfo(seq uint64) []byte {
	cipher := map[Suite]uint16{AES128GCM: cipherAES128GCM, AES256GCM: cipherAES256GCM, ChaCha20Poly1305: cipherChaCha20Poly1305}[k.suite]
	// With room for all, so that no part is left behind in a smaller buffer.
	b := binary.NativeEndian.AppendUint16(make([]byte, 0, 4+ivLen+len(k.key)+8), 0x0304)
	b = binary.NativeEndian.AppendUint16(b, cipher)
	if k.suite == ChaCha20Poly1305 {
		b = append(b, k.iv[:]...)
		b = append(b, k.key...)
	} else {
		b = append(b, k.iv[4:]...) // iv
		b = append(b, k.key...)
		b = append(b, k.iv[:4]...) // salt
	}
	return binary.BigEndian.AppendUint64(b, seq)
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "of unknown release"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// CheckKernel reports whether this kernel can carry the suite's records both
// ways, by trying it on a connection of its own. The error wraps ErrNotSupported
// and says what is missing.
func CheckKernel(suite Suite) error {
	a, b, err := connectedPair()
	if err != nil {
		return fmt.Errorf("check kernel TLS: %w", err)
	}
	defer a.Close()
	defer b.Close()
	secret := make([]byte, 48)
	return EnableKernel(int(a.Fd()), &Session{Suite: suite, In: secret, Out: secret})
}

// connectedPair is a TCP connection to itself: the ULP can be set on a connected
// socket only.
func connectedPair() (a, b *os.File, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	defer dialed.Close()
	accepted, err := ln.Accept()
	if err != nil {
		return nil, nil, err
	}
	defer accepted.Close()
	if a, err = dialed.(*net.TCPConn).File(); err != nil {
		return nil, nil, err
	}
	if b, err = accepted.(*net.TCPConn).File(); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

// KernelError turns the error of a read from a kernel TLS socket into one of
// this package's. EIO means that a record waits that is no data: see ReadControl.
func KernelError(errno unix.Errno) error {
	switch errno {
	case unix.EBADMSG:
		return fmt.Errorf("%w: the kernel says that a record does not authenticate", ErrDecrypt)
	case unix.EMSGSIZE:
		return fmt.Errorf("%w: the kernel says that a record is too long or too short", ErrDecrypt)
	case unix.EINVAL:
		return fmt.Errorf("%w: the kernel says that this is no record of TLS 1.3", ErrDecrypt)
	default:
		return errno
	}
}

// ReadControl reads the record that made a plain read from a kernel TLS socket
// fail with EIO, and handles it as Reader.Control does.
func (r *Reader) ReadControl(fd int) error {
	r.fd = fd
	buf := make([]byte, MaxPlain)
	oob := make([]byte, unix.CmsgSpace(1))
	n, oobn, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_DONTWAIT)
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		return KernelError(errno)
	case err != nil:
		return err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return fmt.Errorf("%w: control message of a record: %v", ErrDecrypt, err)
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_TLS && m.Header.Type == getRecordType && len(m.Data) > 0 {
			return r.Control(m.Data[0], buf[:n])
		}
	}
	return fmt.Errorf("%w: the kernel does not tell a record's type", ErrUnexpected)
}

// NewControlReader makes a Reader for the control records of a kernel TLS socket.
// keys may be nil: a KeyUpdate then ends the connection.
func NewControlReader(keys *KernelKeys) *Reader { return &Reader{kernel: keys, now: time.Now} }

// SendKernelAlert sends an alert through a kernel TLS socket, if there is room.
func SendKernelAlert(fd int, description byte) error {
	a := Alert(description)
	return sendKernelRecord(fd, TypeAlert, a[:])
}

// sendKernelRecord sends a record that is no data, if there is room.
func sendKernelRecord(fd int, typ byte, b []byte) error {
	oob := make([]byte, unix.CmsgSpace(1))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.SOL_TLS, setRecordType
	h.SetLen(unix.CmsgLen(1))
	oob[unix.CmsgLen(0)] = typ
	_, err := unix.SendmsgN(fd, b, oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return err
}
