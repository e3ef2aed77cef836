package tlsrec

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whatever a KeyUpdate comes between, all of it is opened; the old keys are of no
// use any more.
func TestKeyUpdatesAreFollowed(t *testing.T) {
	for _, suite := range Suites() {
		t.Run(suite.String(), func(t *testing.T) {
			w, r := linked(t, suite)
			var wire, want []byte
			for i := range 10 {
				data := fmt.Appendf(nil, "data under keys %d. ", i)
				want = append(want, data...)
				wire = w.Seal(append(make([]byte, 0, len(wire)+1000), wire...), data)
				var err error
				if wire, err = w.KeyUpdate(wire, i == 9); err != nil {
					t.Fatal(err)
				}
				if w.d.seq != 0 {
					t.Fatalf("record %d under new keys", w.d.seq)
				}
			}
			dst := make([]byte, len(wire))
			n, used, err := r.Open(dst, wire[:len(wire)-1])
			if err != nil || r.KeyUpdates != 9 || r.Asked {
				t.Fatalf("%d key updates, asked %v, %v", r.KeyUpdates, r.Asked, err)
			}
			m, _, err := r.Open(dst[n:], wire[used:])
			if err != nil || !bytes.Equal(dst[:n+m], want) || r.KeyUpdates != 10 || !r.Asked {
				t.Errorf("%q, %d key updates, asked %v, %v", dst[:n+m], r.KeyUpdates, r.Asked, err)
			}
		})
	}
}

// A peer cannot buy work with KeyUpdates: there may be some in a row, and then one
// in a while. One that comes now and then may go on for ever.
func TestTooManyKeyUpdates(t *testing.T) {
	for _, between := range []string{"", "a record of data"} {
		w, r := linked(t, AES128GCM)
		now := time.Unix(1000, 0)
		r.now = func() time.Time { return now }
		dst := make([]byte, 1000)
		next := func() error {
			t.Helper()
			wire := make([]byte, 0, 1000)
			if between != "" {
				wire = w.Seal(wire, []byte(between))
			}
			wire, err := w.KeyUpdate(wire, true)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = r.Open(dst, wire)
			return err
		}
		for i := range 1000 {
			if err := next(); err != nil {
				t.Fatalf("key update %d, one every so often: %v", i, err)
			}
			now = now.Add(updateEvery)
		}
		for i := range updatesInARow {
			if err := next(); err != nil {
				t.Fatalf("key update %d in a row: %v", i, err)
			}
		}
		if err := next(); !errors.Is(err, ErrKeyUpdate) {
			t.Errorf("one more: %v, want a key update that is not followed", err)
		}
	}
}

// crypto/tls follows ours, and answers what asks for one, in both roles.
func TestKeyUpdatesAgainstCryptoTLS(t *testing.T) {
	serverConfig, clientConfig := configs(t)
	for _, role := range []Role{Client, Server} {
		name := map[Role]string{Client: "our client", Server: "our server"}[role]
		t.Run(name, func(t *testing.T) {
			ours, theirs := pipe(t)
			cfg, far := clientConfig, tls.Server(theirs, serverConfig)
			if role == Server {
				cfg, far = serverConfig, tls.Client(theirs, clientConfig)
			}
			const line = "a line under some keys\n"
			echoed := make(chan error, 1)
			go func() {
				_, err := io.CopyN(far, far, int64(3*len(line)))
				echoed <- err
			}()
			s, err := Handshake(context.Background(), ours, role, cfg)
			if err != nil {
				t.Fatal(err)
			}
			e := &echoer{conn: ours, r: reader(t, s), w: writer(t, s)}
			s.Wipe() // they have their own
			for i := range 3 {
				if err := e.say(line); err != nil {
					t.Fatal(err)
				}
				if got, err := e.hear(len(line)); err != nil || got != line {
					t.Fatalf("echo %d: %q, %v", i, got, err)
				}
				// It answers one that asks before the data that it sends next.
				if want := uint64(i / 2); e.r.KeyUpdates != want {
					t.Errorf("echo %d: %d key updates of crypto/tls, want %d", i, e.r.KeyUpdates, want)
				}
				wire, err := e.w.KeyUpdate(nil, i == 1)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := ours.Write(wire); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
		})
	}
}

// echoer speaks our records over a blocking connection.
type echoer struct {
	conn net.Conn
	r    *Reader
	w    *Writer
	in   []byte // not opened yet
	got  []byte // not heard yet
}

// say sends a text, behind the KeyUpdate that has been asked for.
func (e *echoer) say(text string) error {
	var wire []byte
	if e.r.Asked {
		var err error
		if wire, err = e.w.KeyUpdate(nil, false); err != nil {
			return err
		}
		e.r.Asked = false
	}
	_, err := e.conn.Write(e.w.SealTyped(wire, TypeData, []byte(text)))
	return err
}

// hear receives n bytes of data at least, and what else has come.
func (e *echoer) hear(n int) (string, error) {
	buf, dst := make([]byte, 4<<10), make([]byte, 64<<10)
	for {
		m, used, err := e.r.Open(dst, e.in)
		e.got, e.in = append(e.got, dst[:m]...), e.in[used:]
		if len(e.got) >= n || err != nil {
			heard := string(e.got)
			e.got = nil
			return heard, err
		}
		if m, err = e.conn.Read(buf); m == 0 {
			return string(e.got), err
		}
		e.in = append(e.in, buf[:m]...)
	}
}

// fakeKernel is a kernel's side of KernelKeys.
type fakeKernel struct {
	sent  [][]byte
	infos [][]byte // as they were
	given [][]byte // the very buffers
	full  bool
	err   error
}

func (f *fakeKernel) keys(s *Session) *KernelKeys {
	return &KernelKeys{
		suite: s.Suite, in: bytes.Clone(s.In), out: bytes.Clone(s.Out),
		set: func(fd, option int, info []byte) error {
			f.infos = append(f.infos, append([]byte{byte(option)}, info...))
			f.given = append(f.given, info)
			return f.err
		},
		send: func(fd int, typ byte, b []byte) error {
			if f.full {
				return unix.EAGAIN
			}
			f.sent = append(f.sent, append([]byte{typ}, b...))
			return nil
		},
	}
}

// A kernel that can change keys is given those that our own records would have; one
// that cannot ends the connection with the reason.
func TestKernelKeysAreChanged(t *testing.T) {
	s := &Session{Suite: AES256GCM, In: bytes.Repeat([]byte{1}, 48), Out: bytes.Repeat([]byte{2}, 48)}
	info := func(option byte, secret []byte) []byte {
		next, err := nextSecret(s.Suite, secret)
		if err != nil {
			t.Fatal(err)
		}
		k, err := deriveKeys(s.Suite, next)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{option}, k.kernelInfo(0)...)
	}
	var f fakeKernel
	k := f.keys(s)
	oldIn, oldOut := k.in, k.out
	r := NewControlReader(k)
	if err := r.Control(TypeHandshake, []byte{messageKeyUpdate, 0, 0, 1, 1}); err != nil {
		t.Fatal(err)
	}
	if len(f.infos) != 1 || !bytes.Equal(f.infos[0], info(tlsRX, s.In)) || !r.Asked || r.KeyUpdates != 1 || len(f.sent) > 0 {
		t.Fatalf("%x given, %x sent, %+v", f.infos, f.sent, r)
	}
	f.full = true
	if err := k.UpdateOut(7); err != unix.EAGAIN || len(f.infos) != 1 {
		t.Fatalf("a full socket: %v, %x given", err, f.infos)
	}
	f.full = false
	if err := k.UpdateOut(7); err != nil {
		t.Fatal(err)
	}
	if len(f.infos) != 2 || !bytes.Equal(f.infos[1], info(tlsTX, s.Out)) || len(f.sent) != 1 ||
		!bytes.Equal(f.sent[0], []byte{TypeHandshake, messageKeyUpdate, 0, 0, 1, 0}) {
		t.Fatalf("%x given, %x sent", f.infos, f.sent)
	}
	wiped(t, "the keys given to the kernel", f.given...)
	wiped(t, "the old secrets", oldIn, oldOut)
	r.Wipe()
	wiped(t, "the secrets in use", k.in, k.out)

	busy := fakeKernel{err: unix.EBUSY}
	for name, r := range map[string]*Reader{"EBUSY": NewControlReader(busy.keys(s)), "too old": NewControlReader(nil)} {
		err := r.Control(TypeHandshake, []byte{messageKeyUpdate, 0, 0, 1, 0})
		if !errors.Is(err, ErrKeyUpdate) || !bytes.Contains([]byte(err.Error()), []byte("Linux 6.14")) || r.KeyUpdates != 0 {
			t.Errorf("%s: %v, %d followed", name, err, r.KeyUpdates)
		}
	}
}

func TestWhichKernelsChangeKeys(t *testing.T) {
	for release, want := range map[string]bool{
		"6.1.0-44-amd64": false, "6.12.57+deb13-amd64": false, "6.13.9": false, "5.15.0": false, "of unknown release": false, "": false,
		"6.14.0-rc1": true, "6.14": true, "6.18.44-x": true, "7.0.1": true,
	} {
		if got := changesKeys(release); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}
