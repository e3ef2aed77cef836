package tlsrec

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

const ivLen = 12

// keys are what one direction's records are protected with.
type keys struct {
	suite Suite
	key   []byte
	iv    [ivLen]byte
}

// parts are a suite's hash and the length of its keys.
func (s Suite) parts() (h func() hash.Hash, keyLen int, err error) {
	switch s {
	case AES128GCM:
		return sha256.New, 16, nil
	case AES256GCM:
		return sha512.New384, 32, nil
	case ChaCha20Poly1305:
		return sha256.New, 32, nil
	default:
		return nil, 0, fmt.Errorf("cipher suite %v is none of TLS 1.3", s)
	}
}

// deriveKeys makes the keys of a traffic secret (RFC 8446, section 7.3).
func deriveKeys(s Suite, secret []byte) (keys, error) {
	h, keyLen, err := s.parts()
	if err != nil {
		return keys{}, err
	}
	k := keys{suite: s}
	key, err := expandLabel(h, secret, "key", keyLen)
	if err != nil {
		return keys{}, err
	}
	k.key = key
	iv, err := expandLabel(h, secret, "iv", ivLen)
	if err != nil {
		k.wipe()
		return keys{}, err
	}
	copy(k.iv[:], iv)
	clear(iv)
	return k, nil
}

// wipe forgets the keys, once a cipher or the kernel has them.
func (k *keys) wipe() {
	clear(k.key)
	clear(k.iv[:])
}

// nextSecret makes the traffic secret that a KeyUpdate changes to (RFC 8446,
// section 7.2).
func nextSecret(s Suite, secret []byte) ([]byte, error) {
	h, _, err := s.parts()
	if err != nil {
		return nil, err
	}
	return expandLabel(h, secret, "traffic upd", h().Size())
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446, section 7.1).
func expandLabel(h func() hash.Hash, secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len(label)))
	info = append(info, label...)
	info = append(info, 0)
	b, err := hkdf.Expand(h, secret, string(info), n)
	if err != nil {
		return nil, fmt.Errorf("derive TLS keys: %w", err)
	}
	return b, nil
}

// aead makes the cipher, which has a key of its own, and wipes this one.
func (k keys) aead() (cipher.AEAD, error) {
	defer clear(k.key)
	if k.suite == ChaCha20Poly1305 {
		return chacha20poly1305.New(k.key)
	}
	block, err := aes.NewCipher(k.key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// direction is the state of one direction's records. It is always on the heap:
// nonce and header go through the AEAD's interface, and would be moved there for
// every record otherwise.
type direction struct {
	suite  Suite
	secret []byte // of the keys in use; a KeyUpdate makes the next of it
	aead   cipher.AEAD
	iv     [ivLen]byte
	seq    uint64
	nonce  [ivLen]byte
	header [HeaderLen]byte
}

func newDirection(s Suite, secret []byte) (*direction, error) {
	d := &direction{suite: s, secret: bytes.Clone(secret)}
	if err := d.rekey(); err != nil {
		d.wipe()
		return nil, err
	}
	return d, nil
}

// rekey begins with the keys of the secret, at record 0.
func (d *direction) rekey() error {
	k, err := deriveKeys(d.suite, d.secret)
	if err != nil {
		return err
	}
	defer k.wipe()
	aead, err := k.aead()
	if err != nil {
		return fmt.Errorf("cipher of %v: %w", d.suite, err)
	}
	d.aead, d.iv, d.seq = aead, k.iv, 0
	return nil
}

// update goes on to the next secret.
func (d *direction) update() error {
	next, err := nextSecret(d.suite, d.secret)
	if err != nil {
		return err
	}
	clear(d.secret)
	d.secret = next
	return d.rekey()
}

// wipe forgets what was secret, as far as it is not inside the cipher. The
// direction is then of no use.
func (d *direction) wipe() {
	clear(d.secret)
	clear(d.iv[:])
	clear(d.nonce[:])
}

// next makes the nonce of the next record (RFC 8446, section 5.3).
func (d *direction) next() {
	d.nonce = d.iv
	low := binary.BigEndian.Uint64(d.nonce[4:]) ^ d.seq
	binary.BigEndian.PutUint64(d.nonce[4:], low)
	d.seq++
}
