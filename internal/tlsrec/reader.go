package tlsrec

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Reader opens the records of one direction. It belongs to one goroutine.
type Reader struct {
	d *direction
	// Records and Bytes count data records and what they carried; Tickets the
	// NewSessionTicket messages that were read over.
	Records, Bytes, Tickets uint64

	post []byte // of a handshake message that spans records
}

// NewReader makes the Reader of a session.
func (s *Session) NewReader() (*Reader, error) {
	d, err := newDirection(s.Suite, s.In)
	if err != nil {
		return nil, err
	}
	return &Reader{d: d}, nil
}

// Open opens the whole records at the start of src, and puts what they carry
// into dst, in one piece. It returns how many bytes that are and how many of src
// are used up; what is left is less than a record, or has no room in dst. An
// error comes after what was received before it; io.EOF is a close_notify.
//
// dst and src must not overlap. A dst as long as src always has room.
//
// Opening from one buffer into another, and not in place, costs no copy: the
// cipher reads and writes every byte once either way. In place the plain text of
// two records would have 22 bytes between them, and the frames in it could not
// leave in one piece without copying them together first.
func (r *Reader) Open(dst, src []byte) (n, used int, err error) {
	for {
		record := src[used:]
		if len(record) < HeaderLen {
			return n, used, nil
		}
		body := int(binary.BigEndian.Uint16(record[3:]))
		if err := checkHeader(record[0], record[1], body); err != nil {
			return n, used, err
		}
		if len(record) < HeaderLen+body || len(dst)-n < body-tagLen {
			return n, used, nil
		}
		got, err := r.record(dst[n:], record[:HeaderLen+body])
		used += HeaderLen + body
		n += got
		if err != nil {
			return n, used, err
		}
	}
}

// checkHeader finds what is no protected record, as early as its header.
func checkHeader(typ, major byte, body int) error {
	switch {
	case typ == TypeAlert && major == 3:
		return fmt.Errorf("%w: an alert that is not protected", ErrDecrypt)
	case typ != TypeData || major != 3:
		return fmt.Errorf("%w: no record of TLS 1.3 (it begins with %#02x %#02x)", ErrDecrypt, typ, major)
	case body > MaxRecord-HeaderLen:
		return fmt.Errorf("%w: a record of %d bytes, %d is the most", ErrDecrypt, body, MaxRecord-HeaderLen)
	case body < tagLen+1:
		return fmt.Errorf("%w: a record of %d bytes, %d is the least", ErrDecrypt, body, tagLen+1)
	}
	return nil
}

// record opens one whole record into dst, which has room for its plain text, and
// returns how much of that is data.
func (r *Reader) record(dst, record []byte) (int, error) {
	d := r.d
	d.next()
	copy(d.header[:], record)
	plain, err := d.aead.Open(dst[:0], d.nonce[:], record[HeaderLen:], d.header[:])
	if err != nil {
		return 0, fmt.Errorf("%w: record %d does not authenticate", ErrDecrypt, d.seq-1)
	}
	// The type is the last byte that is not padding.
	i := len(plain) - 1
	for i >= 0 && plain[i] == 0 {
		i--
	}
	if i < 0 {
		return 0, fmt.Errorf("%w: a record without a type", ErrDecrypt)
	}
	if i > MaxPlain {
		return 0, fmt.Errorf("%w: a record carries %d bytes, %d is the most", ErrDecrypt, i, MaxPlain)
	}
	if plain[i] == TypeData {
		r.Records++
		r.Bytes += uint64(i)
		return i, nil
	}
	return 0, r.Control(plain[i], plain[:i])
}

// Control handles a record that is no data: nil means that it is of no interest
// and the connection goes on. The kernel's record layer hands such records up
// unread, so this is for both.
func (r *Reader) Control(typ byte, b []byte) error {
	switch typ {
	case TypeAlert:
		if len(b) != 2 {
			return fmt.Errorf("%w: an alert of %d bytes", ErrDecrypt, len(b))
		}
		if b[1] == AlertCloseNotify {
			return io.EOF
		}
		return fmt.Errorf("%w: %s", ErrAlert, alertName(b[1]))
	case TypeHandshake:
		if len(b) == 0 {
			return fmt.Errorf("%w: an empty handshake record", ErrUnexpected)
		}
		r.post = append(r.post, b...)
		return r.messages()
	default:
		return fmt.Errorf("%w: a record of type %d", ErrUnexpected, typ)
	}
}

// Handshake messages that may come after the handshake (RFC 8446, section 4).
const (
	messageTicket    byte = 4
	messageKeyUpdate byte = 24

	maxPost = 64 << 10 // of one such message; tickets are some hundred bytes
)

// messages reads the whole handshake messages that have arrived.
func (r *Reader) messages() error {
	for len(r.post) >= 4 {
		switch r.post[0] {
		case messageTicket:
		case messageKeyUpdate:
			return fmt.Errorf("%w: hdbench does not change keys", ErrKeyUpdate)
		default:
			return fmt.Errorf("%w: handshake message of type %d", ErrUnexpected, r.post[0])
		}
		n := 4 + int(r.post[1])<<16 + int(r.post[2])<<8 + int(r.post[3])
		if n > maxPost {
			return fmt.Errorf("%w: a session ticket of %d bytes", ErrUnexpected, n)
		}
		if len(r.post) < n {
			return nil
		}
		r.Tickets++
		r.post = r.post[n:]
	}
	if len(r.post) == 0 {
		r.post = nil
	}
	return nil
}
