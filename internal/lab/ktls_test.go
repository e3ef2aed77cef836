//go:build lab

// What the lab's kernels are there for: kernel TLS in every suite hdbench speaks.
// These tests run inside a machine: scripts/lab.sh uml ./internal/lab

package lab_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"
)

// From the kernel's include/uapi/linux/tls.h; x/sys/unix does not have them.
const (
	tlsTX      = 1
	tlsRX      = 2
	tlsVersion = 0x0304
)

// suite is a cipher suite of TLS 1.3 as the kernel takes its keys.
type suite struct {
	name   string
	number uint16
	key    int // bytes
	salt   int // of the 12 bytes of IV, those the kernel calls the salt
	aead   func(key []byte) (cipher.AEAD, error)
}

func gcm(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

var suites = []suite{
	{"AES-128-GCM", 51, 16, 4, gcm},
	{"AES-256-GCM", 52, 32, 4, gcm},
	{"ChaCha20-Poly1305", 54, 32, 0, chacha20poly1305.New},
}

// secret is a direction's key and IV, made up.
type secret struct{ key, iv []byte }

func (s suite) secret(seed byte) secret {
	return secret{bytes.Repeat([]byte{seed}, s.key), bytes.Repeat([]byte{seed + 1}, 12)}
}

// info is struct tls12_crypto_info_*: version, cipher, the IV without its salt,
// the key, the salt, the record's number.
func (s suite) info(k secret) []byte {
	b := binary.NativeEndian.AppendUint16(nil, tlsVersion)
	b = binary.NativeEndian.AppendUint16(b, s.number)
	b = append(b, k.iv[s.salt:]...)
	b = append(b, k.key...)
	b = append(b, k.iv[:s.salt]...)
	return append(b, make([]byte, 8)...)
}

// pair is two ends of a connection over the guest's loopback, blocking, each with
// ten seconds of patience.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	bare := func(c net.Conn) int {
		f, err := c.(*net.TCPConn).File() // a duplicate
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		t.Cleanup(func() { f.Close() })
		fd := int(f.Fd()) // blocking from here on
		for _, opt := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
			if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, opt, &unix.Timeval{Sec: 10}); err != nil {
				t.Fatal(err)
			}
		}
		return fd
	}
	return bare(c), bare(d)
}

func ulp(t *testing.T, fd int) {
	t.Helper()
	if err := unix.SetsockoptString(fd, unix.SOL_TCP, unix.TCP_ULP, "tls"); err != nil {
		t.Fatalf("set the tls ULP: %v", err)
	}
}

func setKey(t *testing.T, fd, direction int, s suite, k secret) {
	t.Helper()
	if err := unix.SetsockoptString(fd, unix.SOL_TLS, direction, string(s.info(k))); err != nil {
		t.Fatalf("%s: set the key of direction %d: %v", s.name, direction, err)
	}
}

func send(t *testing.T, fd int, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil {
			t.Fatalf("send: %v", err)
		}
		b = b[n:]
	}
}

func receive(t *testing.T, fd, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	for got := 0; got < n; {
		m, err := unix.Read(fd, b[got:])
		if err != nil || m == 0 {
			t.Fatalf("received %d of %d bytes, then %v", got, n, err)
		}
		got += m
	}
	return b
}

// tlsStat reads the kernel's own counters.
func tlsStat(t *testing.T) map[string]int {
	t.Helper()
	b, err := os.ReadFile("/proc/net/tls_stat")
	if err != nil {
		t.Fatal(err)
	}
	stat := map[string]int{}
	for line := range strings.Lines(string(b)) {
		var name string
		var n int
		if _, err := fmt.Sscan(line, &name, &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		stat[name] = n
	}
	return stat
}

// pattern is n bytes that are not all the same.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestKernelCarriesEverySuiteBothWays(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			before := tlsStat(t)
			a, b := pair(t)
			to, fro := s.secret(0x10), s.secret(0x20)
			for _, fd := range []int{a, b} {
				ulp(t, fd)
			}
			setKey(t, a, tlsTX, s, to)
			setKey(t, b, tlsRX, s, to)
			setKey(t, b, tlsTX, s, fro)
			setKey(t, a, tlsRX, s, fro)
			// One byte, a packet, one record at its longest, several records.
			for _, n := range []int{1, 1400, 16 << 10, 50_000} {
				for _, way := range [][2]int{{a, b}, {b, a}} {
					want := pattern(n)
					send(t, way[0], want)
					if got := receive(t, way[1], n); !bytes.Equal(got, want) {
						t.Fatalf("%d bytes arrived changed", n)
					}
				}
			}
			after := tlsStat(t)
			for name, want := range map[string]int{"TlsTxSw": 2, "TlsRxSw": 2, "TlsDecryptError": 0} {
				if got := after[name] - before[name]; got != want {
					t.Errorf("%s rose by %d, want %d", name, got, want)
				}
			}
		})
	}
}

// The kernel's records are those of RFC 8446, not just its own: they open with
// another implementation.
func TestKernelsRecordsAreTLS(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			a, b := pair(t)
			ulp(t, a)
			k := s.secret(0x30)
			setKey(t, a, tlsTX, s, k)
			want := pattern(1400)
			send(t, a, want)
			record := receive(t, b, 5+len(want)+1+16) // header, type, tag
			aead, err := s.aead(k.key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := aead.Open(nil, k.iv, record[5:], record[:5])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, append(want, 23)) {
				t.Error("the record holds something else")
			}
		})
	}
}

func TestTamperedRecordIsRefusedAndCounted(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			before := tlsStat(t)
			k := s.secret(0x40)
			a, b := pair(t) // the kernel makes a record
			ulp(t, a)
			setKey(t, a, tlsTX, s, k)
			send(t, a, pattern(100))
			record := receive(t, b, 5+100+1+16)
			record[50] ^= 1
			c, d := pair(t) // and gets it back changed
			ulp(t, d)
			setKey(t, d, tlsRX, s, k)
			send(t, c, record)
			if n, err := unix.Read(d, make([]byte, 200)); !errors.Is(err, unix.EBADMSG) {
				t.Errorf("read gave %d bytes, error %v; want EBADMSG", n, err)
			}
			if got := tlsStat(t)["TlsDecryptError"] - before["TlsDecryptError"]; got != 1 {
				t.Errorf("TlsDecryptError rose by %d, want 1", got)
			}
		})
	}
}

func TestMachineHasItsCPUs(t *testing.T) {
	want := map[string]int{"uml": 1, "qemu": 2}[os.Getenv("HDBENCH_LAB_MACHINE")]
	if n := runtime.NumCPU(); n != want {
		t.Errorf("%d CPUs, want %d", n, want)
	}
	if text := os.Getenv("HDBENCH_LAB"); !strings.Contains(text, "Linux ") {
		t.Errorf("HDBENCH_LAB is %q", text)
	}
}
