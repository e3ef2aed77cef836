package stat

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// periodShuffles are the shuffled series that a period is held against.
const periodShuffles = 999

// Period is the lag at which a series is most like itself, and whether that is
// more than chance: among the same values shuffled, at most a share of alpha is as
// much like itself at any lag. A single swing is no period: lags go to a third of
// the series. The trend is taken out first.
func Period(values []float64, alpha float64) (lag int, sure bool) {
	v := detrended(values)
	most := len(v) / 3
	if most < 2 {
		return 0, false
	}
	lag, peak := strongest(v, most)
	if lag == 0 {
		return 0, false
	}
	rng := rand.New(rand.NewPCG(uint64(len(v)), 1))
	shuffled := slices.Clone(v)
	asMuch := 1
	for range periodShuffles {
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if _, c := strongest(shuffled, most); c >= peak {
			asMuch++
		}
	}
	return lag, float64(asMuch)/(periodShuffles+1) <= alpha
}

// strongest is the peak of the autocorrelation at lags from 2: higher than its
// neighbours, after the series has been unlike itself. Lag 0: there is none.
func strongest(v []float64, most int) (lag int, peak float64) {
	before := autocorrelation(v, 1)
	here := autocorrelation(v, 2)
	unlike := before < 0
	for k := 2; k <= most; k++ {
		after := autocorrelation(v, k+1)
		unlike = unlike || here < 0
		if unlike && here > before && here >= after && here > peak {
			lag, peak = k, here
		}
		before, here = here, after
	}
	return lag, peak
}

// autocorrelation at a lag of values whose mean is zero.
func autocorrelation(v []float64, lag int) float64 {
	if lag >= len(v) {
		return math.Inf(-1)
	}
	var with, square float64
	for i, x := range v {
		square += x * x
		if i+lag < len(v) {
			with += x * v[i+lag]
		}
	}
	if square == 0 {
		return 0
	}
	return with / square
}

// detrended is a series without its mean and slope.
func detrended(values []float64) []float64 {
	at := make([]float64, len(values))
	for i := range at {
		at[i] = float64(i)
	}
	alpha, beta := stat.LinearRegression(at, values, nil, false)
	v := make([]float64, len(values))
	for i := range v {
		v[i] = values[i] - alpha - beta*at[i]
	}
	return v
}
