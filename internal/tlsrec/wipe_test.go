package tlsrec

import (
	"bytes"
	"fmt"
	"testing"
)

// wiped fails the test if a buffer still holds something.
func wiped(t *testing.T, what string, buffers ...[]byte) {
	t.Helper()
	for _, b := range buffers {
		if len(b) == 0 {
			t.Errorf("%s: nothing to be wiped", what)
		}
		for _, x := range b {
			if x != 0 {
				t.Errorf("%s: not wiped: %x", what, b)
				break
			}
		}
	}
}

func TestTheKeyLogIsWiped(t *testing.T) {
	var l keyLog
	client, server := bytes.Repeat([]byte{0xa1}, 32), bytes.Repeat([]byte{0xb2}, 32)
	for label, secret := range map[string][]byte{
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET": bytes.Repeat([]byte{0xc3}, 32),
		"CLIENT_TRAFFIC_SECRET_0":         client, "SERVER_TRAFFIC_SECRET_0": server,
	} {
		line := fmt.Appendf(nil, "%s %x %x\n", label, make([]byte, 32), secret)
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
		wiped(t, "the line "+label, line)
	}
	if !bytes.Equal(l.client, client) || !bytes.Equal(l.server, server) {
		t.Errorf("kept %x, %x", l.client, l.server)
	}
	old := l.client
	if _, err := l.Write([]byte("CLIENT_TRAFFIC_SECRET_0 00 no-digits")); err != nil || l.client != nil {
		t.Errorf("what is no secret: %x, %v", l.client, err)
	}
	wiped(t, "a secret that another replaced", old)
	l.wipe()
	wiped(t, "the log", l.server)
}

func TestKeysAreWiped(t *testing.T) {
	for _, suite := range Suites() {
		s := &Session{Suite: suite, In: bytes.Repeat([]byte{1}, 48), Out: bytes.Repeat([]byte{2}, 48)}
		r, w := reader(t, s), writer(t, s)
		s.Wipe()
		wiped(t, "the session", s.In, s.Out)
		if r.d.secret[0] != 1 || w.d.secret[0] != 2 {
			t.Fatal("the records have lost their secrets with the session")
		}
		old := w.d.secret
		if _, err := w.KeyUpdate(nil, false); err != nil {
			t.Fatal(err)
		}
		wiped(t, "the secret before a KeyUpdate", old)
		r.Wipe()
		w.Wipe()
		wiped(t, "the records", r.d.secret, w.d.secret, r.d.iv[:], w.d.iv[:], r.d.nonce[:], w.d.nonce[:])
	}
}

// What the cipher and the kernel are given is wiped once they have it; the ciphers
// keep copies of their own.
func TestDerivedKeysAreWiped(t *testing.T) {
	for _, suite := range Suites() {
		k, err := deriveKeys(suite, bytes.Repeat([]byte{1}, 48))
		if err != nil {
			t.Fatal(err)
		}
		aead, err := k.aead()
		if err != nil {
			t.Fatal(err)
		}
		wiped(t, "the cipher's key", k.key)
		sealed := aead.Seal(nil, make([]byte, ivLen), []byte("data"), nil)
		if none, err := k.aead(); err != nil || bytes.Equal(sealed, none.Seal(nil, make([]byte, ivLen), []byte("data"), nil)) {
			t.Errorf("%v: the cipher has lost its key with ours (%v)", suite, err)
		}
		k.wipe()
		wiped(t, "the derived keys", k.iv[:])
		var given []byte
		take := func(fd, option int, info []byte) error {
			given = info
			if bytes.Count(info, []byte{0}) > len(info)/2 {
				t.Error("the kernel is given no keys")
			}
			return nil
		}
		if err := install(take, 0, tlsTX, suite, bytes.Repeat([]byte{1}, 48)); err != nil {
			t.Fatal(err)
		}
		wiped(t, "what the kernel was given", given[:cap(given)])
	}
}
