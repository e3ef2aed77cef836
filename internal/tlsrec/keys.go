package tlsrec

import (
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

// deriveKeys makes the keys of a traffic secret (RFC 8446, section 7.3).
func deriveKeys(s Suite, secret []byte) (keys, error) {
	h, keyLen := sha256.New, 16
	switch s {
	case AES128GCM:
	case AES256GCM:
		h, keyLen = sha512.New384, 32
	case ChaCha20Poly1305:
		keyLen = 32
	default:
		return keys{}, fmt.Errorf("cipher suite %v is none of TLS 1.3", s)
	}
	k := keys{suite: s}
	key, err := expandLabel(h, secret, "key", keyLen)
	if err != nil {
		return keys{}, err
	}
	iv, err := expandLabel(h, secret, "iv", ivLen)
	if err != nil {
		return keys{}, err
	}
	k.key = key
	copy(k.iv[:], iv)
	return k, nil
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

func (k keys) aead() (cipher.AEAD, error) {
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
	aead   cipher.AEAD
	iv     [ivLen]byte
	seq    uint64
	nonce  [ivLen]byte
	header [HeaderLen]byte
}

func newDirection(s Suite, secret []byte) (*direction, error) {
	k, err := deriveKeys(s, secret)
	if err != nil {
		return nil, err
	}
	aead, err := k.aead()
	if err != nil {
		return nil, fmt.Errorf("cipher of %v: %w", s, err)
	}
	return &direction{aead: aead, iv: k.iv}, nil
}

// next makes the nonce of the next record (RFC 8446, section 5.3).
func (d *direction) next() {
	d.nonce = d.iv
	low := binary.BigEndian.Uint64(d.nonce[4:]) ^ d.seq
	binary.BigEndian.PutUint64(d.nonce[4:], low)
	d.seq++
}
