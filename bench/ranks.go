package main

import (
	"cmp"
	"math"
	"slices"
)

// mannWhitney compares two samples by the ranks of their values. Superiority is
// the probability that a value of a is the greater of one of each, a tie being a
// half: 0.5 when neither tells anything, 0 or 1 when one look tells all. It is
// the area under the ROC curve too. P is that of such a difference or a greater
// one, either way, between samples of one distribution: by the normal
// approximation, with the corrections for ties and continuity, which is good
// from about 20 values on.
func mannWhitney[T cmp.Ordered](a, b []T) (superiority, p float64) {
	n, m := float64(len(a)), float64(len(b))
	if n == 0 || m == 0 {
		return 0.5, 1
	}
	rankSum, ties := ranksOf(a, b)
	u, all := rankSum-n*(n+1)/2, n+m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	off := math.Abs(u-n*m/2) - 0.5
	if off <= 0 || variance <= 0 { // all values may be one
		return u / (n * m), 1
	}
	return u / (n * m), math.Erfc(off / math.Sqrt(2*variance))
}

// ranksOf is the sum of the ranks of a among both samples, equal values sharing
// theirs, and the sum of t³-t over the numbers t of equal values.
func ranksOf[T cmp.Ordered](a, b []T) (sum, ties float64) {
	type value struct {
		v   T
		ofA bool
	}
	var both []value
	for _, v := range a {
		both = append(both, value{v, true})
	}
	for _, v := range b {
		both = append(both, value{v, false})
	}
	slices.SortFunc(both, func(x, y value) int { return cmp.Compare(x.v, y.v) })
	for begin := 0; begin < len(both); {
		end, ofA := begin, 0
		for ; end < len(both) && both[end].v == both[begin].v; end++ {
			if both[end].ofA {
				ofA++
			}
		}
		// The ranks from begin+1 to end, in the middle.
		sum += float64(ofA) * float64(begin+1+end) / 2
		t := float64(end - begin)
		ties += t*t*t - t
		begin = end
	}
	return sum, ties
}

// superiorityNoise is how far from 0.5 the superiority is in 19 of 20 pairs of
// samples of n and m values of one distribution.
func superiorityNoise(n, m int) float64 {
	return 1.96 * math.Sqrt(float64(n+m+1)/(12*float64(n)*float64(m)))
}
