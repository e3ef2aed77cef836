package stat

import (
	"math/rand/v2"
	"slices"
)

// Dip is Hartigan's dip statistic (Hartigan & Hartigan 1985; algorithm AS 217 with
// Maechler's corrections of 1994 and 2003): how far the distribution of the values
// is from the nearest one with a single mode. It is 1/(2n) for values that are
// evenly spaced, and 1/4 where there are two values only, half of each.
func Dip(values []float64) float64 {
	n := len(values)
	if n < 2 {
		return 0
	}
	x := append([]float64{0}, values...) // counts from 1, as the published algorithm does
	slices.Sort(x[1:])
	if x[1] == x[n] {
		return 1 / float64(2*n)
	}
	mn, mj := touchPoints(x, n)
	low, high, most := 1, n, 1.0 // in counts, halved at the end
	for {
		minorant, majorant := chain(mn, high, low), chain(mj, low, high)
		ig, ih, d := widest(x, minorant, majorant)
		if d < most {
			break
		}
		most = max(most, below(x, minorant[ig:]), above(x, majorant[ih:]))
		if low == minorant[ig] && high == majorant[ih] {
			break
		}
		low, high = minorant[ig], majorant[ih]
	}
	return most / float64(2*n)
}

// touchPoints are, for every value, where the greatest convex minorant up to it
// and the least concave majorant from it last leave the distribution.
func touchPoints(x []float64, n int) (mn, mj []int) {
	mn, mj = make([]int, n+1), make([]int, n+1)
	mn[1], mj[n] = 1, n
	for j := 2; j <= n; j++ {
		for mn[j] = j - 1; ; mn[j] = mn[mn[j]] {
			a := mn[j]
			b := mn[a]
			if a == 1 || (x[j]-x[a])*float64(a-b) < (x[a]-x[b])*float64(j-a) {
				break
			}
		}
	}
	for k := n - 1; k >= 1; k-- {
		for mj[k] = k + 1; ; mj[k] = mj[mj[k]] {
			a := mj[k]
			b := mj[a]
			if a == n || (x[k]-x[a])*float64(a-b) < (x[a]-x[b])*float64(k-a) {
				break
			}
		}
	}
	return mn, mj
}

// chain follows touch points from one end to the other.
func chain(next []int, from, to int) []int {
	c := []int{from}
	for from != to {
		from = next[from]
		c = append(c, from)
	}
	return c
}

// widest is where minorant (from high to low) and majorant (from low to high) are
// furthest apart, as indexes into them, and how far.
func widest(x []float64, minorant, majorant []int) (ig, ih int, d float64) {
	lastG, lastH := len(minorant)-1, len(majorant)-1
	ig, ih = lastG, lastH
	if lastG == 1 && lastH == 1 {
		return ig, ih, 1
	}
	ix, iv := lastG-1, 1
	for {
		g, h := minorant[ix], majorant[iv]
		if g > h {
			g1 := minorant[ix+1]
			dx := float64(h-g1+1) - (x[h]-x[g1])*float64(g-g1)/(x[g]-x[g1])
			iv++
			if dx >= d {
				d, ig, ih = dx, ix+1, iv-1
			}
		} else {
			h1 := majorant[iv-1]
			dx := (x[g]-x[h1])*float64(h-h1)/(x[h]-x[h1]) - float64(g-h1-1)
			ix--
			if dx >= d {
				d, ig, ih = dx, ix+1, iv
			}
		}
		ix, iv = max(ix, 0), min(iv, lastH)
		if minorant[ix] == majorant[iv] {
			return ig, ih, d
		}
	}
}

// below is how far the distribution rises over the minorant's segments.
func below(x []float64, minorant []int) float64 {
	most := 0.0
	for j := 0; j+1 < len(minorant); j++ {
		end, begin := minorant[j], minorant[j+1]
		most = max(most, 1)
		if end-begin <= 1 || x[end] == x[begin] {
			continue
		}
		slope := float64(end-begin) / (x[end] - x[begin])
		for k := begin; k <= end; k++ {
			most = max(most, float64(k-begin+1)-(x[k]-x[begin])*slope)
		}
	}
	return most
}

// above is how far the majorant's segments rise over the distribution.
func above(x []float64, majorant []int) float64 {
	most := 0.0
	for j := 0; j+1 < len(majorant); j++ {
		begin, end := majorant[j], majorant[j+1]
		most = max(most, 1)
		if end-begin <= 1 || x[end] == x[begin] {
			continue
		}
		slope := float64(end-begin) / (x[end] - x[begin])
		for k := begin; k <= end; k++ {
			most = max(most, (x[k]-x[begin])*slope-float64(k-begin-1))
		}
	}
	return most
}

// DipTest has the p-values of the dip, by simulation of uniform values, for which
// the dip of a distribution with one mode is largest. The same every time.
type DipTest struct{ null map[int][]float64 } // sorted dips by n

const dipDraws = 2000

func (t *DipTest) P(values []float64) float64 {
	n := len(values)
	if t.null == nil {
		t.null = map[int][]float64{}
	}
	if t.null[n] == nil {
		rng := rand.New(rand.NewPCG(uint64(n), 0))
		dips, u := make([]float64, dipDraws), make([]float64, n)
		for i := range dips {
			for j := range u {
				u[j] = rng.Float64()
			}
			dips[i] = Dip(u)
		}
		slices.Sort(dips)
		t.null[n] = dips
	}
	below, _ := slices.BinarySearch(t.null[n], Dip(values))
	return float64(dipDraws-below+1) / (dipDraws + 1)
}
