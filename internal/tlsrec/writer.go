package tlsrec

import (
	"encoding/binary"
	"slices"
)

// Writer seals the records of one direction. It belongs to one goroutine.
type Writer struct {
	d *direction
	// Records and Bytes count data records and what they carry.
	Records, Bytes uint64
}

// NewWriter makes the Writer of a session.
func (s *Session) NewWriter() (*Writer, error) {
	d, err := newDirection(s.Suite, s.Out)
	if err != nil {
		return nil, err
	}
	return &Writer{d: d}, nil
}

// Wipe forgets what was secret. The Writer is then of no use.
func (w *Writer) Wipe() { w.d.wipe() }

// Seal appends one record with data to dst, which must have room for len(data) +
// Overhead; data is 1 to MaxPlain bytes.
//
// What is sealed is the data and the record's type behind it. If data's capacity
// goes beyond its length, that byte is borrowed for the type and put back: the
// bytes up to there must belong to the caller. Otherwise data is copied first.
func (w *Writer) Seal(dst, data []byte) []byte {
	w.Records++
	w.Bytes += uint64(len(data))
	if cap(data) > len(data) {
		with := data[:len(data)+1]
		last := &with[len(data)]
		was := *last
		*last = TypeData
		dst = w.seal(dst, with)
		*last = was
		return dst
	}
	at := len(dst)
	dst = append(dst[:at+HeaderLen], data...)
	dst = append(dst, TypeData)
	return w.seal(dst[:at], dst[at+HeaderLen:])
}

// Room extends dst by a record's header, behind which the caller appends data
// for SealInPlace.
func Room(dst []byte) []byte { return dst[:len(dst)+HeaderLen] }

// SealInPlace makes a record of the data that was appended to a Room: dst is what
// the record is appended to, n how long the data is.
func (w *Writer) SealInPlace(dst []byte, n int) []byte {
	w.Records++
	w.Bytes += uint64(n)
	at := len(dst) + HeaderLen
	plain := dst[at : at+n+1]
	plain[n] = TypeData
	return w.seal(dst, plain)
}

// SealAlert appends an alert.
func (w *Writer) SealAlert(dst []byte, description byte) []byte {
	a := Alert(description)
	return w.SealTyped(dst, TypeAlert, a[:])
}

// SealTyped appends a record of any type. It may allocate.
func (w *Writer) SealTyped(dst []byte, typ byte, b []byte) []byte {
	plain := append(append(make([]byte, 0, len(b)+1), b...), typ)
	return w.seal(slices.Grow(dst, len(b)+Overhead), plain)
}

// KeyUpdate appends a KeyUpdate, and changes the keys of what follows. request asks
// the other side to change its own. It allocates.
func (w *Writer) KeyUpdate(dst []byte, request bool) ([]byte, error) {
	message := keyUpdate(request)
	return w.SealTyped(dst, TypeHandshake, message[:]), w.d.update()
}

// seal appends the record of plain, whose last byte is the type. plain may lie
// where its cipher text goes.
func (w *Writer) seal(dst, plain []byte) []byte {
	d := w.d
	d.next()
	d.header = [HeaderLen]byte{TypeData, 3, 3}
	binary.BigEndian.PutUint16(d.header[3:], uint16(len(plain)+tagLen))
	at := len(dst)
	dst = dst[:at+HeaderLen]
	copy(dst[at:], d.header[:])
	return d.aead.Seal(dst, d.nonce[:], plain, d.header[:])
}
