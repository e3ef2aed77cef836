package tlsrec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const patience = 5 * time.Minute

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
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
		{"key update, and the old keys go on", func(w *Writer) []byte {
			return append(inner(w, "\x18\x00\x00\x01\x00\x16"), good(w)...)
		}, ErrDecrypt},
		{"key update that asks for what is not", func(w *Writer) []byte { return inner(w, "\x18\x00\x00\x01\x02\x16") }, errIllegal},
		{"key update of no bytes", func(w *Writer) []byte { return inner(w, "\x18\x00\x00\x00\x16") }, ErrUnexpected},
		{"key update of two bytes", func(w *Writer) []byte { return inner(w, "\x18\x00\x00\x02\x00\x00\x16") }, ErrUnexpected},
		{"key update that is not the last in its record", func(w *Writer) []byte {
			return inner(w, "\x18\x00\x00\x01\x00\x04\x00\x00\x01t\x16")
		}, ErrUnexpected},
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
