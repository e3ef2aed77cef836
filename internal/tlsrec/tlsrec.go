// Package tlsrec takes a TLS 1.3 connection over from crypto/tls after its
// handshake, so that an event loop can own it.
//
// crypto/tls does the handshake, on an ordinary goroutine, over a connection
// that never reads past the record it needs (Handshake). What it leaves is a
// Session: the suite and the two application traffic secrets. From these come
// the keys of one of two record layers:
//
//   - the kernel's (EnableKernel): the socket then reads and writes plain text;
//   - our own (Reader and Writer): buffers in, buffers out, no I/O, no
//     allocation per record.
//
// Both follow a KeyUpdate of the other side's, the kernel's from Linux 6.14; neither
// begins one, and neither falls back to the other. A record that does not
// authenticate, or is no record, is ErrDecrypt; the connection is then of no use.
// What is secret is wiped when it is no longer needed, as far as it lies in buffers
// of this package. Terms are those of RFC 8446.
package tlsrec

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// Record types (RFC 8446, section 5.1).
const (
	TypeChangeCipherSpec byte = 20
	TypeAlert            byte = 21
	TypeHandshake        byte = 22
	TypeData             byte = 23
)

// Sizes of records, in bytes.
const (
	HeaderLen = 5
	// MaxPlain is the most one record carries (RFC 8446, section 5.1).
	MaxPlain = 16 << 10
	// Overhead is what a record without padding adds: header, type and tag. It is
	// the same for every suite of TLS 1.3 here.
	Overhead = HeaderLen + 1 + tagLen
	// MaxRecord is the longest record that may be received: 256 bytes more than
	// plain text, for type, padding and tag (section 5.2).
	MaxRecord = HeaderLen + MaxPlain + 256

	tagLen = 16
)

// The ways a record layer ends. A wrapping error says more.
var (
	// ErrDecrypt is a record that is none, is too long or too short, was cut off
	// or does not authenticate.
	ErrDecrypt = errors.New("decrypt_error")
	// ErrAlert is a fatal alert of the other side. Its close_notify is io.EOF.
	ErrAlert = errors.New("tls alert")
	// ErrKeyUpdate is a KeyUpdate message that is not followed: this kernel cannot
	// change keys, or there were too many.
	ErrKeyUpdate = errors.New("tls key update")
	// ErrUnexpected is a record or handshake message that has no place after the
	// handshake.
	ErrUnexpected = errors.New("unexpected tls message")
	// ErrNotSupported means that this kernel has no TLS of its own, or not the
	// part that is needed.
	ErrNotSupported = errors.New("kernel TLS not supported")
)

// Suite is a cipher suite of TLS 1.3.
type Suite uint16

// The suites.
const (
	AES128GCM        = Suite(tls.TLS_AES_128_GCM_SHA256)
	AES256GCM        = Suite(tls.TLS_AES_256_GCM_SHA384)
	ChaCha20Poly1305 = Suite(tls.TLS_CHACHA20_POLY1305_SHA256)
)

// Suites lists the suites of TLS 1.3 that crypto/tls can agree on.
func Suites() []Suite { return []Suite{AES128GCM, AES256GCM, ChaCha20Poly1305} }

// String is the suite's registered name.
func (s Suite) String() string { return tls.CipherSuiteName(uint16(s)) }

// Session is what a handshake leaves: everything that is needed to go on without
// crypto/tls. Both directions start at record number 0.
type Session struct {
	Suite Suite
	// In and Out are the application traffic secrets of what is received and sent.
	In, Out []byte
}

// Wipe forgets the secrets. What was made of the session has its own.
func (s *Session) Wipe() {
	clear(s.In)
	clear(s.Out)
}

// errIllegal marks, beside ErrUnexpected, a message with a field that has no such
// value.
var errIllegal = errors.New("illegal parameter")

// alertName is an alert's description in words, as far as they are met here.
func alertName(description byte) string {
	switch description {
	case 0:
		return "close_notify"
	case 10:
		return "unexpected_message"
	case 20:
		return "bad_record_mac"
	case 22:
		return "record_overflow"
	case 40:
		return "handshake_failure"
	case 42:
		return "bad_certificate"
	case 47:
		return "illegal_parameter"
	case 50:
		return "decode_error"
	case 51:
		return "decrypt_error"
	case 80:
		return "internal_error"
	case 90:
		return "user_canceled"
	default:
		return fmt.Sprintf("alert %d", description)
	}
}

// Alert descriptions that are sent (RFC 8446, section 6).
const (
	AlertCloseNotify       byte = 0
	AlertUnexpectedMessage byte = 10
	AlertBadRecordMAC      byte = 20
	AlertIllegalParameter  byte = 47
)

// Alert is an alert's two bytes.
func Alert(description byte) [2]byte {
	if description == AlertCloseNotify {
		return [2]byte{1, description} // warning
	}
	return [2]byte{2, description} // fatal
}

// AlertFor is the alert that tells the other side why the connection ends, and
// whether there is one to send.
func AlertFor(err error) (description byte, ok bool) {
	switch {
	case errors.Is(err, ErrDecrypt):
		return AlertBadRecordMAC, true
	case errors.Is(err, errIllegal):
		return AlertIllegalParameter, true
	case errors.Is(err, ErrKeyUpdate), errors.Is(err, ErrUnexpected):
		return AlertUnexpectedMessage, true
	default:
		return 0, false
	}
}
