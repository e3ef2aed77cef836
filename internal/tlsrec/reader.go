package tlsrec

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Reader opens the records of one direction. It belongs to one goroutine.
type Reader struct {
	d *direction // nil: the kernel opens the records
	// Records and Bytes count data records and what they carried; Tickets the
	// NewSessionTicket messages that were read over, KeyUpdates those that were
	// followed.
	Records, Bytes, Tickets, KeyUpdates uint64

	// Asked says that the other side wants our keys changed, too: with a KeyUpdate
	// before the next record of data. Who does that sets it back.
	Asked bool

	post    []byte        // of a handshake message that spans records
	updates *rate.Limiter // of KeyUpdates; nil until the first
	now     func() time.Time

	kernel *KernelKeys // without d; nil if they cannot be changed
	fd     int         // of the kernel's socket, while a control record is read
}

// NewReader makes the Reader of a session.
func (s *Session) NewReader() (*Reader, error) {
	d, err := newDirection(s.Suite, s.In)
	if err != nil {
		return nil, err
	}
	return &Reader{d: d, now: time.Now}, nil
}

// Wipe forgets what was secret. The Reader is then of no use.
func (r *Reader) Wipe() {
	if r.d != nil {
		r.d.wipe()
	}
	if r.kernel != nil {
		r.kernel.wipe()
	}
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

	// New keys cost as much as some dozen records, and a KeyUpdate is 27 bytes: so
	// there may be that many in a row, and then one in so much time. Who changes keys
	// because a cipher's limit is near (RFC 8446, section 5.5) does so after millions
	// of records.
	updatesInARow = 32
	updateEvery   = time.Second
)

// keyUpdate is the message (RFC 8446, section 4.6.3).
func keyUpdate(request bool) [5]byte {
	b := [5]byte{messageKeyUpdate, 0, 0, 1, 0}
	if request {
		b[4] = 1
	}
	return b
}

// messages reads the whole handshake messages that have arrived.
func (r *Reader) messages() error {
	for len(r.post) >= 4 {
		switch r.post[0] {
		case messageTicket, messageKeyUpdate:
		default:
			return fmt.Errorf("%w: handshake message of type %d", ErrUnexpected, r.post[0])
		}
		n := 4 + int(r.post[1])<<16 + int(r.post[2])<<8 + int(r.post[3])
		if n > maxPost {
			return fmt.Errorf("%w: a handshake message of %d bytes", ErrUnexpected, n)
		}
		if len(r.post) < n {
			return nil
		}
		message, rest := r.post[:n], r.post[n:]
		r.post = rest
		if message[0] == messageTicket {
			r.Tickets++
			continue
		}
		if err := r.follow(message, rest); err != nil {
			return err
		}
	}
	if len(r.post) == 0 {
		r.post = nil
	}
	return nil
}

// follow changes the keys of what is received, as a KeyUpdate says.
func (r *Reader) follow(message, rest []byte) error {
	switch {
	case len(message) != 5:
		return fmt.Errorf("%w: a KeyUpdate of %d bytes", ErrUnexpected, len(message))
	case message[4] > 1:
		return fmt.Errorf("%w: %w: a KeyUpdate that asks for %d", ErrUnexpected, errIllegal, message[4])
	case len(rest) > 0: // RFC 8446, section 5.1
		return fmt.Errorf("%w: a message behind a KeyUpdate, under the old keys", ErrUnexpected)
	}
	if r.updates == nil {
		r.updates = rate.NewLimiter(rate.Every(updateEvery), updatesInARow)
	}
	if !r.updates.AllowN(r.now(), 1) {
		return fmt.Errorf("%w: too many, after %d", ErrKeyUpdate, r.KeyUpdates)
	}
	var err error
	switch {
	case r.d != nil:
		err = r.d.update()
	case r.kernel != nil:
		err = r.kernel.updateIn(r.fd)
	default:
		err = fmt.Errorf("%w: this kernel does not change keys (Linux 6.14 or later does)", ErrKeyUpdate)
	}
	if err != nil {
		return err
	}
	r.KeyUpdates++
	r.Asked = r.Asked || message[4] == 1
	return nil
}
