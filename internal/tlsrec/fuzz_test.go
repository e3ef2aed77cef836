package tlsrec

import (
	"bytes"
	"testing"
)

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
		r := NewControlReader(nil)
		if err := r.Control(typ, b); err == nil && typ != TypeHandshake {
			t.Fatalf("type %d is not noticed", typ)
		}
	})
}
