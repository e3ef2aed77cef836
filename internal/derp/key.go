package derp

import (
	"encoding/hex"
	"fmt"
	"io"

	"golang.org/x/crypto/curve25519"
)

// Key is a peer's or a server's public key: its address.
type Key [KeyLen]byte

// PrivateKey is the secret half of a Key.
type PrivateKey [KeyLen]byte

// String is the key in lower-case hex, as in the Derp-Public-Key header.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText is String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is ParseKey.
func (k *Key) UnmarshalText(b []byte) (err error) {
	*k, err = ParseKey(string(b))
	return err
}

// ParseKey reads 64 hex digits.
func ParseKey(s string) (Key, error) {
	var k Key
	if hex.DecodedLen(len(s)) != KeyLen {
		return k, fmt.Errorf("derp key %q: have %d characters, want %d hex digits", s, len(s), 2*KeyLen)
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil {
		return Key{}, fmt.Errorf("derp key %q: %w", s, err)
	}
	return k, nil
}

// GeneratePrivateKey reads a new private key from rand (crypto/rand.Reader for a
// real one; a seeded reader gives a test or a run the same peers again).
func GeneratePrivateKey(rand io.Reader) (PrivateKey, error) {
	var p PrivateKey
	if _, err := io.ReadFull(rand, p[:]); err != nil {
		return p, fmt.Errorf("generate derp key: %w", err)
	}
	return ClampKey(p), nil
}

// ClampKey makes a private key of 32 bytes, clamped as RFC 7748 §5 asks, so that
// the key is the same wherever it goes.
func ClampKey(p [KeyLen]byte) PrivateKey {
	p[0] &= 248
	p[31] &= 127
	p[31] |= 64
	return p
}

// Public is the public half of p.
func (p PrivateKey) Public() Key {
	// X25519 fails only for a low-order point, which the base point is not.
	b, err := curve25519.X25519(p[:], curve25519.Basepoint)
	if err != nil {
		panic("derp: base point refused: " + err.Error())
	}
	return Key(b)
}
