// Package units reads and writes the quantities of the command line, the
// scenario files and the tables: bit rates ("5Gbps"), sizes ("1400B", "64KiB").
// A bare number is refused: a rate without its unit is how wrong numbers start.
package units

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
)

// Rate is a bit rate, in bits per second. The zero Rate is no rate; Max is "as
// fast as it goes".
type Rate float64

// Max asks for as much as the other side takes.
const Max = Rate(math.MaxFloat64)

// Common rates.
const (
	Mbps Rate = 1e6
	Gbps Rate = 1e9
)

// ParseRate reads "5Gbps", "750Mbps", "64kbps" or "max".
func ParseRate(s string) (Rate, error) {
	if s == "max" {
		return Max, nil
	}
	v, unit, err := humanize.ParseSI(s)
	if err != nil || unit != "bps" {
		return 0, fmt.Errorf("rate %q: want a number with kbps, Mbps or Gbps, such as 5Gbps, or max", s)
	}
	if v < 1 || math.IsInf(v, 0) || v > 1e15 {
		return 0, fmt.Errorf("rate %q: want more than 0 and at most 1000Tbps", s)
	}
	return Rate(v), nil
}

// String is the rate as ParseRate reads it.
func (r Rate) String() string {
	if r == Max {
		return "max"
	}
	return short(float64(r)) + "bps"
}

// Short is the rate without its unit, for keys: "5G", "750M".
func (r Rate) Short() string {
	if r == Max {
		return "max"
	}
	return short(float64(r))
}

// Mbps is the rate in Mbit/s.
func (r Rate) Mbps() float64 { return float64(r) / 1e6 }

func short(v float64) string {
	for _, p := range []struct {
		scale  float64
		prefix string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= p.scale {
			return humanize.FtoaWithDigits(v/p.scale, 6) + p.prefix
		}
	}
	return humanize.FtoaWithDigits(v, 6)
}

// MarshalText is String; no rate is no text.
func (r Rate) MarshalText() ([]byte, error) {
	if r == 0 {
		return nil, nil
	}
	return []byte(r.String()), nil
}

// UnmarshalText is ParseRate.
func (r *Rate) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*r = 0
		return nil
	}
	*r, err = ParseRate(string(b))
	return err
}

// Bytes is a size.
type Bytes int64

// ParseBytes reads "1400B", "64KiB", "4MiB" or "1MB".
func ParseBytes(s string) (Bytes, error) {
	if !strings.HasSuffix(s, "B") || strings.IndexFunc(s, unicode.IsDigit) != 0 {
		return 0, fmt.Errorf("size %q: want a number with B, KiB, MiB, kB or MB, such as 1400B", s)
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("size %q: want a number with B, KiB, MiB, kB or MB, such as 1400B", s)
	}
	return Bytes(n), nil
}

// String is the size as ParseBytes reads it, exactly.
func (b Bytes) String() string {
	switch {
	case b >= 1<<20 && b%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", b>>20)
	case b >= 1<<10 && b%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", b>>10)
	default:
		return fmt.Sprintf("%dB", b)
	}
}

// MarshalText is String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText is ParseBytes.
func (b *Bytes) UnmarshalText(t []byte) (err error) {
	*b, err = ParseBytes(string(t))
	return err
}

// IsMax reports whether r is Max.
func (r Rate) IsMax() bool { return r == Max }
