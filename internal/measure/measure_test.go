package measure

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"hdbench/internal/units"
)

func hist(t *testing.T, values ...time.Duration) Histogram {
	t.Helper()
	h := hdrhistogram.New(1000, int64(100*time.Second), 3)
	for _, v := range values {
		if err := h.RecordValue(int64(v)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := FromHDR(h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Percentiles of two hosts must be those of all their values together.
func TestHistogramsMergeExactly(t *testing.T) {
	var all, a, b []time.Duration
	for i := range 1000 {
		v := time.Duration(i*i) * time.Microsecond
		all = append(all, v)
		if i%3 == 0 {
			a = append(a, v)
		} else {
			b = append(b, v)
		}
	}
	got, err := MergeHistograms(hist(t, a...), Histogram{}, hist(t, b...))
	if err != nil {
		t.Fatal(err)
	}
	if want := hist(t, all...); got.Count != 1000 || got.P50NS != want.P50NS || got.P99NS != want.P99NS || got.P999NS != want.P999NS || got.MaxNS != want.MaxNS {
		t.Errorf("merged %+v, want %+v", got, want)
	}
	if none, err := MergeHistograms(Histogram{}, Histogram{}); err != nil || none.Count != 0 {
		t.Errorf("nothing merged: %+v, %v", none, err)
	}
	if _, err := MergeHistograms(Histogram{Count: 1, Encoded: "rubbish"}); err == nil {
		t.Error("rubbish merges")
	}
}

func TestLossAndShortfall(t *testing.T) {
	l := Load{SentPackets: 200, DeliveredPackets: 150, Offered: 100, SentBps: 80, Threads: []Thread{{Busy: 0.2}, {Busy: 0.7}}}
	if loss, ok := l.Loss(); !ok || loss != 0.25 {
		t.Errorf("loss %v, %v", loss, ok)
	}
	if s, ok := l.Shortfall(); !ok || s < 0.1999 || s > 0.2001 {
		t.Errorf("shortfall %v, %v", s, ok)
	}
	if b := l.Busiest(); b != 0.7 {
		t.Errorf("busiest %v", b)
	}
	l.Offered, l.SentPackets = units.Max, 0
	if _, ok := l.Shortfall(); ok {
		t.Error("a load of as much as goes has a shortfall")
	}
	if _, ok := l.Loss(); ok {
		t.Error("no packets have a loss")
	}
}
