package tlsrec

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"hdbench/internal/cert"
)

const patience = 20 * time.Second

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The session of RFC 8448, section 3.
const (
	clientSecret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
	serverSecret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

	clientData = "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4"
	serverData = "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36 e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67 c2 95 5d"

	serverTicket = "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a" +
		"015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e0" +
		"9c30ba1e62972ac46f75f7b981be63439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77" +
		"f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74" +
		"bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f"

	clientAlert = "17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3"
	serverAlert = "17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20 cf be 7e fa 7a 88 64 a9"
)

func payload8448() []byte {
	b := make([]byte, 50)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestKeysOfRFC8448(t *testing.T) {
	for _, c := range []struct{ secret, key, iv string }{
		{clientSecret, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
		{serverSecret, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
	} {
		k, err := deriveKeys(AES128GCM, unhex(t, c.secret))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(k.key); got != c.key {
			t.Errorf("key %s, want %s", got, c.key)
		}
		if got := hex.EncodeToString(k.iv[:]); got != c.iv {
			t.Errorf("iv %s, want %s", got, c.iv)
		}
	}
}

// In both directions the trace goes: (a ticket,) data, close_notify.
func TestRecordsOfRFC8448(t *testing.T) {
	server := &Session{Suite: AES128GCM, In: unhex(t, clientSecret), Out: unhex(t, serverSecret)}
	client := &Session{Suite: AES128GCM, In: unhex(t, serverSecret), Out: unhex(t, clientSecret)}
	for _, c := range []struct {
		name    string
		s       *Session
		wire    string
		tickets uint64
	}{
		{"client to server", server, clientData + clientAlert, 0},
		{"server to client", client, serverTicket + serverData + serverAlert, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reader(t, c.s)
			wire := unhex(t, c.wire)
			dst := make([]byte, len(wire))
			n, used, err := r.Open(dst, wire)
			if !errors.Is(err, io.EOF) || used != len(wire) || !bytes.Equal(dst[:n], payload8448()) {
				t.Errorf("%d bytes, %d of %d used, %v: %x", n, used, len(wire), err, dst[:n])
			}
			if r.Records != 1 || r.Bytes != 50 || r.Tickets != c.tickets {
				t.Errorf("counts %d records, %d bytes, %d tickets", r.Records, r.Bytes, r.Tickets)
			}
		})
	}

	w := writer(t, client)
	got := w.Seal(make([]byte, 0, 200), payload8448())
	got = w.SealAlert(got, AlertCloseNotify)
	if want := unhex(t, clientData+clientAlert); !bytes.Equal(got, want) {
		t.Errorf("sealed\n%x, want\n%x", got, want)
	}
}

func reader(t testing.TB, s *Session) *Reader {
	t.Helper()
	r, err := s.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func writer(t testing.TB, s *Session) *Writer {
	t.Helper()
	w, err := s.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// linked is a writer and the reader of what it seals.
func linked(t testing.TB, suite Suite) (*Writer, *Reader) {
	t.Helper()
	secret := bytes.Repeat([]byte{7}, 48)
	s := &Session{Suite: suite, In: secret, Out: secret}
	return writer(t, s), reader(t, s)
}

// Whatever is sealed, in whatever pieces, is what is opened, however it is cut.
func TestRoundTrip(t *testing.T) {
	for _, suite := range Suites() {
		t.Run(suite.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(suite)))
			w, r := linked(t, suite)
			var sent, wire []byte
			for range 300 {
				n := 1 + rng.IntN(MaxPlain)
				if rng.IntN(2) == 0 {
					n = 1 + rng.IntN(100)
				}
				data := make([]byte, n, n+rng.IntN(2))
				for i := range data {
					data[i] = byte(rng.Uint32())
				}
				sent = append(sent, data...)
				record := make([]byte, 0, n+Overhead)
				if rng.IntN(2) == 0 {
					record = w.Seal(record, data)
				} else {
					whole := append(Room(record), data...)
					record = w.SealInPlace(record, len(whole)-HeaderLen)
				}
				if len(record) != n+Overhead {
					t.Fatalf("a record of %d bytes for %d, want %d more", len(record), n, Overhead)
				}
				wire = append(wire, record...)
			}
			var got []byte
			dst := make([]byte, 3*MaxRecord)
			for have := 0; len(wire) > 0; {
				have = min(len(wire), have+1+rng.IntN(2*MaxRecord))
				for {
					n, used, err := r.Open(dst, wire[:have])
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, dst[:n]...)
					wire, have = wire[used:], have-used
					if used == 0 {
						break
					}
				}
			}
			if !bytes.Equal(got, sent) || w.Records != 300 || r.Records != 300 || r.Bytes != uint64(len(sent)) {
				t.Errorf("%d bytes of %d; %d records sealed, %d opened", len(got), len(sent), w.Records, r.Records)
			}
		})
	}
}

func TestSealGivesTheBorrowedByteBack(t *testing.T) {
	w, r := linked(t, AES128GCM)
	data := []byte("one two")
	record := w.Seal(make([]byte, 0, 100), data[:3])
	if string(data) != "one two" {
		t.Errorf("the data is now %q", data)
	}
	dst := make([]byte, 100)
	if n, _, err := r.Open(dst, record); err != nil || string(dst[:n]) != "one" {
		t.Errorf("%q, %v", dst[:n], err)
	}
}

// Each kind of bad record ends the connection with the right class of error, and
// what came before it is not lost.
func TestBadRecords(t *testing.T) {
	good := func(w *Writer) []byte { return w.Seal(make([]byte, 0, 100), []byte("before")) }
	// inner seals a record with any plain text, type and padding included.
	inner := func(w *Writer, plain string) []byte {
		return w.seal(make([]byte, 0, len(plain)+Overhead), []byte(plain))
	}
	long := strings.Repeat("x", MaxPlain+1)
	for _, c := range []struct {
		name string
		bad  func(w *Writer) []byte
		want error
	}{
		{"tampered tag", func(w *Writer) []byte { b := good(w); b[len(b)-1] ^= 1; return b }, ErrDecrypt},
		{"tampered data", func(w *Writer) []byte { b := good(w); b[HeaderLen] ^= 1; return b }, ErrDecrypt},
		{"tampered length", func(w *Writer) []byte { b := good(w); b[4]--; return b[:len(b)-1] }, ErrDecrypt},
		{"tampered version", func(w *Writer) []byte { b := good(w); b[2] = 1; return b }, ErrDecrypt},
		{"replayed", func(w *Writer) []byte { w.d.seq = 0; return good(w) }, ErrDecrypt},
		{"out of order", func(w *Writer) []byte { w.d.seq++; return good(w) }, ErrDecrypt},
		{"garbage", func(*Writer) []byte { return []byte("GET / HTTP/1.1\r\n") }, ErrDecrypt},
		{"too short", func(*Writer) []byte { return append([]byte{TypeData, 3, 3, 0, 16}, make([]byte, 16)...) }, ErrDecrypt},
		{"oversized header", func(*Writer) []byte { return []byte{TypeData, 3, 3, 0x41, 0x01} }, ErrDecrypt},
		{"oversized plain text", func(w *Writer) []byte { return inner(w, long+"\x17") }, ErrDecrypt},
		{"no type", func(w *Writer) []byte { return inner(w, "\x00\x00\x00") }, ErrDecrypt},
		{"plain alert", func(*Writer) []byte { return []byte{TypeAlert, 3, 3, 0, 2, 2, 40} }, ErrDecrypt},
		{"plain change_cipher_spec", func(*Writer) []byte { return []byte{TypeChangeCipherSpec, 3, 3, 0, 1, 1} }, ErrDecrypt},
		{"short alert", func(w *Writer) []byte { return inner(w, "\x02\x15") }, ErrDecrypt},
		{"fatal alert", func(w *Writer) []byte { return w.SealAlert(make([]byte, 0, 100), AlertBadRecordMAC) }, ErrAlert},
		{"close_notify", func(w *Writer) []byte { return w.SealAlert(make([]byte, 0, 100), AlertCloseNotify) }, io.EOF},
		{"key update", func(w *Writer) []byte { return inner(w, "\x18\x00\x00\x01\x00\x16") }, ErrKeyUpdate},
		{"late Finished", func(w *Writer) []byte { return inner(w, "\x14\x00\x00\x01\x00\x16") }, ErrUnexpected},
		{"unknown type", func(w *Writer) []byte { return inner(w, "abc\x63") }, ErrUnexpected},
		{"empty handshake record", func(w *Writer) []byte { return inner(w, "\x16") }, ErrUnexpected},
		{"endless ticket", func(w *Writer) []byte { return inner(w, "\x04\xff\xff\xff\x16") }, ErrUnexpected},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := linked(t, AES128GCM)
			wire := append(good(w), c.bad(w)...)
			dst := make([]byte, MaxRecord+100)
			n, _, err := r.Open(dst, wire)
			if !errors.Is(err, c.want) || string(dst[:n]) != "before" {
				t.Errorf("%v after %q, want %v", err, dst[:n], c.want)
			}
		})
	}
}

func TestPaddingAndTicketsAreReadOver(t *testing.T) {
	w, r := linked(t, AES256GCM)
	var wire []byte
	for _, plain := range []string{
		"one\x17\x00\x00\x00",                                // padded
		"\x17",                                               // empty data: allowed, against traffic analysis
		"\x04\x00\x00\x05tic\x16", "ke\x04\x00\x00\x01t\x16", // two tickets in two records, not aligned
		"two\x17",
	} {
		wire = append(wire, w.seal(make([]byte, 0, 100), []byte(plain))...)
	}
	dst := make([]byte, 1000)
	n, used, err := r.Open(dst, wire)
	if err != nil || used != len(wire) || string(dst[:n]) != "onetwo" || r.Tickets != 2 {
		t.Errorf("%q, %d of %d used, %d tickets, %v", dst[:n], used, len(wire), r.Tickets, err)
	}
}

// pipe is a TCP connection to oneself.
func pipe(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { c.Close() })
	}
	return a, b
}

func configs(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	own, err := cert.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{own.Certificate}}, &tls.Config{InsecureSkipVerify: true}
}

// Against crypto/tls in both roles: its own records are ours to open and ours are
// its.
func TestAgainstCryptoTLS(t *testing.T) {
	serverConfig, clientConfig := configs(t)
	for _, role := range []Role{Client, Server} {
		name := map[Role]string{Client: "our client", Server: "our server"}[role]
		t.Run(name, func(t *testing.T) {
			ours, theirs := pipe(t)
			cfg, far := clientConfig, tls.Server(theirs, serverConfig)
			if role == Server {
				cfg, far = serverConfig, tls.Client(theirs, clientConfig)
			}
			sent := bytes.Repeat([]byte("from crypto/tls "), 5000)
			echoed := make(chan error, 1)
			go func() {
				echoed <- func() error {
					if _, err := far.Write(sent); err != nil {
						return err
					}
					back := make([]byte, len(sent))
					if _, err := io.ReadFull(far, back); err != nil {
						return err
					}
					if !bytes.Equal(back, sent) {
						return errors.New("what came back differs")
					}
					return far.Close()
				}()
			}()
			s, err := Handshake(context.Background(), ours, role, cfg)
			if err != nil {
				t.Fatal(err)
			}
			r, w := reader(t, s), writer(t, s)
			var in, got []byte
			buf, dst := make([]byte, 1000), make([]byte, 2*MaxRecord)
			for err == nil {
				if len(got) == len(sent) && w.Records == 0 {
					for b := got; len(b) > 0; {
						n := min(len(b), 3000)
						if _, err := ours.Write(w.Seal(make([]byte, 0, n+Overhead), b[:n])); err != nil {
							t.Fatal(err)
						}
						b = b[n:]
					}
				}
				n, rerr := ours.Read(buf)
				if rerr != nil {
					t.Fatal(rerr)
				}
				in = append(in, buf[:n]...)
				n, used := 0, 0
				n, used, err = r.Open(dst, in)
				got, in = append(got, dst[:n]...), in[used:]
			}
			if err != io.EOF || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHandshakeFailures(t *testing.T) {
	serverConfig, clientConfig := configs(t)
	for _, c := range []struct {
		name string
		far  func(net.Conn) error
		want string
	}{
		{"plain text", func(c net.Conn) error { _, err := c.Write([]byte("GET /derp HTTP/1.1\r\n\r\n")); return err }, "first record does not look like a TLS handshake"},
		{"TLS 1.2 only", func(c net.Conn) error {
			cfg := clientConfig.Clone()
			cfg.MaxVersion = tls.VersionTLS12
			if tls.Client(c, cfg).Handshake() == nil {
				return errors.New("the client got through")
			}
			return nil
		}, "unsupported versions"},
		{"gone", func(c net.Conn) error { return c.Close() }, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := pipe(t)
			far := make(chan error, 1)
			go func() { far <- c.far(theirs) }()
			_, err := Handshake(context.Background(), ours, Server, serverConfig)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			ours.Close()
			if err := <-far; err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ours, _ := pipe(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Handshake(ctx, ours, Client, clientConfig); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want cancelled", err)
		}
	})
}

func TestRecordsDoNotAllocate(t *testing.T) {
	for _, suite := range Suites() {
		w, r := linked(t, suite)
		data := make([]byte, 1400, 1401)
		wire, dst := make([]byte, 0, 4*MaxRecord), make([]byte, 4*MaxRecord)
		if n := testing.AllocsPerRun(100, func() {
			b := w.Seal(wire, data)
			b = w.Seal(b, data[:1400:1400])
			if _, _, err := r.Open(dst, b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", suite, n)
		}
	}
}

// FuzzOpen feeds anything, cut anywhere, to a Reader. Nothing that was not sealed
// may come out, and it must not panic.
func FuzzOpen(f *testing.F) {
	w, _ := linked(f, AES128GCM)
	good := w.Seal(make([]byte, 0, 100), []byte("data"))
	f.Add(good, 3)
	f.Add(w.SealAlert(good, 0), 30)
	f.Add(append([]byte{TypeData, 3, 3, 0, 17}, make([]byte, 17)...), 5)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		_, whole := linked(t, AES128GCM)
		_, cutUp := linked(t, AES128GCM)
		dst := make([]byte, len(b)+1)
		n, _, err := whole.Open(dst, b)
		if err == nil && n > len(b) {
			t.Fatal("more came out than went in")
		}
		cut = min(max(cut, 0), len(b))
		dst2 := make([]byte, len(b)+1)
		m, used, err2 := cutUp.Open(dst2, b[:cut])
		if err2 == nil {
			var k int
			k, _, err2 = cutUp.Open(dst2[m:], b[used:])
			m += k
		}
		if (err == nil) != (err2 == nil) || !bytes.Equal(dst[:n], dst2[:m]) {
			t.Fatalf("cut at %d: %q, %v; whole %q, %v", cut, dst2[:m], err2, dst[:n], err)
		}
	})
}

// FuzzControl feeds anything to the reader of records that are no data.
func FuzzControl(f *testing.F) {
	f.Add(TypeAlert, []byte{1, 0})
	f.Add(TypeHandshake, []byte{4, 0, 0, 1, 9})
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		r := NewControlReader()
		if err := r.Control(typ, b); err == nil && typ != TypeHandshake {
			t.Fatalf("type %d is not noticed", typ)
		}
	})
}

func benchmarkSeal(b *testing.B, n int) {
	w, _ := linked(b, AES128GCM)
	data, dst := make([]byte, n, n+1), make([]byte, 0, n+Overhead)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		w.Seal(dst, data)
	}
}

func BenchmarkSeal(b *testing.B) {
	b.Run("1400B", func(b *testing.B) { benchmarkSeal(b, 1400) })
	b.Run("16KiB", func(b *testing.B) { benchmarkSeal(b, MaxPlain) })
}

// BenchmarkOpen opens a 64 KiB burst of one-frame records: into another buffer,
// as Reader does, and in place, followed by the copy that makes it one piece.
func BenchmarkOpen(b *testing.B) {
	w, r := linked(b, AES128GCM)
	data := make([]byte, 1437)
	var wire []byte
	for range 45 {
		wire = append(wire, w.Seal(make([]byte, 0, 1500), data)...)
	}
	dst, work := make([]byte, len(wire)), make([]byte, len(wire))
	b.Run("into another buffer", func(b *testing.B) {
		b.SetBytes(45 * 1437)
		for b.Loop() {
			copy(work, wire) // as the socket would
			r.d.seq = 0
			if _, _, err := r.Open(dst, work); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("in place and moved together", func(b *testing.B) {
		b.SetBytes(45 * 1437)
		for b.Loop() {
			copy(work, wire)
			r.d.seq = 0
			n := 0
			for rec := work; len(rec) > 0; rec = rec[1437+Overhead:] {
				d := r.d
				d.next()
				copy(d.header[:], rec)
				plain, err := d.aead.Open(rec[HeaderLen:HeaderLen], d.nonce[:], rec[HeaderLen:1437+Overhead], d.header[:])
				if err != nil {
					b.Fatal(err)
				}
				n += copy(dst[n:], plain[:1437])
			}
		}
	})
}
