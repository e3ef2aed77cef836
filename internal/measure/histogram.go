package measure

import (
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram is an HDR histogram of nanoseconds, kept whole (so that histograms of
// several runs or hosts merge exactly, which percentiles do not), with the usual
// percentiles beside it for whoever reads the JSON.
type Histogram struct {
	Count   int64  `json:"count"`
	P50NS   int64  `json:"p50_ns"`
	P99NS   int64  `json:"p99_ns"`
	P999NS  int64  `json:"p999_ns"`
	MaxNS   int64  `json:"max_ns"`
	Encoded string `json:"hdr,omitempty"` // HdrHistogram V2, compressed, base64
}

// FromHDR packs a histogram of nanoseconds.
func FromHDR(h *hdrhistogram.Histogram) (Histogram, error) {
	s := Histogram{Count: h.TotalCount()}
	if s.Count == 0 {
		return s, nil
	}
	s.P50NS, s.P99NS, s.P999NS, s.MaxNS = h.ValueAtQuantile(50), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max()
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return s, fmt.Errorf("encode histogram: %w", err)
	}
	s.Encoded = string(b)
	return s, nil
}

// ErrHistogram is wrapped by what is wrong with a histogram that was recorded.
var ErrHistogram = errors.New("histogram")

// HDR unpacks the histogram; nil if it is empty.
func (h Histogram) HDR() (*hdrhistogram.Histogram, error) {
	if h.Encoded == "" {
		return nil, nil
	}
	hdr, err := hdrhistogram.Decode([]byte(h.Encoded))
	if err != nil {
		return nil, fmt.Errorf("%w: decode: %w", ErrHistogram, err)
	}
	return hdr, nil
}

// MergeHistograms adds histograms up, value by value.
func MergeHistograms(hs ...Histogram) (Histogram, error) {
	var sum *hdrhistogram.Histogram
	for _, h := range hs {
		hdr, err := h.HDR()
		if err != nil {
			return Histogram{}, err
		}
		switch {
		case hdr == nil:
		case sum == nil:
			sum = hdr
		default:
			if dropped := sum.Merge(hdr); dropped > 0 {
				return Histogram{}, fmt.Errorf("%w: merge: %d values out of range", ErrHistogram, dropped)
			}
		}
	}
	if sum == nil {
		return Histogram{}, nil
	}
	return FromHDR(sum)
}
