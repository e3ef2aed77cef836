//go:build lab

package tlsrec

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keyed is a connection with one end's records in the kernel and the other's here,
// both keyed directly: crypto/tls cannot be told which suite to choose.
type keyed struct {
	fd     int      // kernel
	conn   net.Conn // below our records
	r      *Reader
	w      *Writer
	kernel net.Conn
}

func newKeyed(t *testing.T, suite Suite) *keyed {
	t.Helper()
	a, b := pipe(t)
	up, down := bytes.Repeat([]byte{1}, 48), bytes.Repeat([]byte{2}, 48)
	k := &keyed{conn: b, kernel: a}
	raw, err := a.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var kerr error
	if err := raw.Control(func(fd uintptr) {
		k.fd = int(fd)
		kerr = EnableKernel(int(fd), &Session{Suite: suite, In: down, Out: up})
	}); err != nil || kerr != nil {
		t.Fatal(err, kerr)
	}
	s := &Session{Suite: suite, In: up, Out: down}
	k.r, k.w = reader(t, s), writer(t, s)
	return k
}

// Every suite, both directions, against our own records.
func TestKernelRecordsOfEverySuite(t *testing.T) {
	for _, suite := range Suites() {
		t.Run(suite.String(), func(t *testing.T) {
			k := newKeyed(t, suite)
			data := bytes.Repeat([]byte("packet of a relay "), 100_000/18)
			sent := make(chan error, 1)
			go func() {
				_, err := k.kernel.Write(data)
				sent <- err
			}()
			var in, got []byte
			buf, dst := make([]byte, 64<<10), make([]byte, 128<<10)
			for len(got) < len(data) {
				n, err := k.conn.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				in = append(in, buf[:n]...)
				n, used, err := k.r.Open(dst, in)
				if err != nil {
					t.Fatal(err)
				}
				got, in = append(got, dst[:n]...), in[used:]
			}
			if err := <-sent; err != nil || !bytes.Equal(got, data) {
				t.Fatalf("from the kernel: %v, equal %v", err, bytes.Equal(got, data))
			}

			go func() {
				var wire []byte
				for b := data; len(b) > 0; {
					n := min(len(b), 5000)
					wire = append(wire, k.w.Seal(make([]byte, 0, n+Overhead), b[:n:n])...)
					b = b[n:]
				}
				_, err := k.conn.Write(wire)
				sent <- err
			}()
			back := make([]byte, len(data))
			if _, err := io.ReadFull(k.kernel, back); err != nil {
				t.Fatal(err)
			}
			if err := <-sent; err != nil || !bytes.Equal(back, data) {
				t.Fatalf("to the kernel: %v, equal %v", err, bytes.Equal(back, data))
			}
		})
	}
}

// What is no data is handed up by the kernel, and read as our own records are.
func TestKernelControlRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  byte
		body []byte
		want error
	}{
		{"ticket", TypeHandshake, []byte{4, 0, 0, 1, 9}, nil},
		{"close_notify", TypeAlert, []byte{1, AlertCloseNotify}, io.EOF},
		{"fatal alert", TypeAlert, []byte{2, AlertBadRecordMAC}, ErrAlert},
		{"key update", TypeHandshake, []byte{24, 0, 0, 1, 0}, ErrKeyUpdate},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeyed(t, AES128GCM)
			if _, err := k.conn.Write(k.w.SealTyped(nil, c.typ, c.body)); err != nil {
				t.Fatal(err)
			}
			waitReadable(t, k.fd)
			if _, _, err := unix.Recvfrom(k.fd, make([]byte, 100), unix.MSG_DONTWAIT); err != unix.EIO {
				t.Fatalf("a plain read: %v, want EIO", err)
			}
			r := NewControlReader(nil)
			if err := r.ReadControl(k.fd); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.want == nil && r.Tickets != 1 {
				t.Errorf("%d tickets", r.Tickets)
			}
		})
	}
	t.Run("sent", func(t *testing.T) {
		k := newKeyed(t, AES128GCM)
		if err := SendKernelAlert(k.fd, AlertCloseNotify); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		n, err := k.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := k.r.Open(make([]byte, 100), buf[:n]); err != io.EOF {
			t.Errorf("%v, want a close_notify", err)
		}
	})
}

// A KeyUpdate is followed by a kernel that can, and refused by one that cannot, as
// its release says.
func TestKernelFollowsAKeyUpdateIfItCan(t *testing.T) {
	k := newKeyed(t, AES128GCM)
	s := &Session{Suite: AES128GCM, In: bytes.Repeat([]byte{2}, 48), Out: bytes.Repeat([]byte{1}, 48)}
	can := changesKeys(kernelRelease())
	if keys := s.KernelKeys(); (keys != nil) != can {
		t.Fatalf("Linux %s: keys are kept: %v", kernelRelease(), keys != nil)
	}
	// The kernel is asked in any case: it must agree.
	keys := &KernelKeys{suite: s.Suite, in: bytes.Clone(s.In), out: bytes.Clone(s.Out), set: setKernelKeys, send: sendKernelRecord}
	wire, err := k.w.KeyUpdate(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.conn.Write(k.w.SealTyped(wire, TypeData, []byte("under new keys"))); err != nil {
		t.Fatal(err)
	}
	waitReadable(t, k.fd)
	buf := make([]byte, 100)
	if _, _, err := unix.Recvfrom(k.fd, buf, unix.MSG_DONTWAIT); err != unix.EIO {
		t.Fatalf("a plain read: %v, want EIO", err)
	}
	r := NewControlReader(keys)
	err = r.ReadControl(k.fd)
	if !can {
		if !errors.Is(err, ErrKeyUpdate) || !errors.Is(err, unix.EBUSY) || !errors.Is(kernelOut(keys, k.fd), unix.EBUSY) {
			t.Errorf("Linux %s: %v; want that it cannot", kernelRelease(), err)
		}
		return
	}
	if err != nil || !r.Asked {
		t.Fatalf("asked %v, %v", r.Asked, err)
	}
	waitReadable(t, k.fd)
	if n, _, err := unix.Recvfrom(k.fd, buf, unix.MSG_DONTWAIT); err != nil || string(buf[:n]) != "under new keys" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	if err := keys.UpdateOut(k.fd); err != nil {
		t.Fatal(err)
	}
	if _, err := k.kernel.Write([]byte("and back")); err != nil {
		t.Fatal(err)
	}
	e := &echoer{conn: k.conn, r: k.r}
	if got, err := e.hear(8); err != nil || got != "and back" || k.r.KeyUpdates != 1 {
		t.Errorf("%q, %d key updates, %v", got, k.r.KeyUpdates, err)
	}
}

// kernelOut changes the keys of what is sent, without saying so.
func kernelOut(k *KernelKeys, fd int) error {
	k.send = func(int, byte, []byte) error { return nil }
	return k.UpdateOut(fd)
}

func TestKernelRefusesDamagedRecords(t *testing.T) {
	k := newKeyed(t, AES128GCM)
	b := k.w.Seal(make([]byte, 0, 100), []byte("data"))
	b[len(b)-1] ^= 1
	if _, err := k.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	waitReadable(t, k.fd)
	_, _, err := unix.Recvfrom(k.fd, make([]byte, 100), unix.MSG_DONTWAIT)
	errno, ok := err.(unix.Errno)
	if !ok || !errors.Is(KernelError(errno), ErrDecrypt) {
		t.Errorf("%v, want a decrypt error", err)
	}
}

func TestCheckKernel(t *testing.T) {
	for _, s := range Suites() {
		if err := CheckKernel(s); err != nil {
			t.Errorf("%v: %v", s, err)
		}
	}
}

func waitReadable(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(patience); ; {
		n, err := unix.Poll(fds, 1000)
		if n > 0 {
			return
		}
		if err != nil && err != unix.EINTR || time.Now().After(deadline) {
			t.Fatalf("nothing to read: %v", err)
		}
	}
}
