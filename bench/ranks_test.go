package main

import (
	"math"
	"testing"
)

// The first is what SciPy documents; the p of the others was worked out by hand
// from z.
func TestMannWhitney(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		a, b           []float64
		superiority, p float64
	}{
		{
			"SciPy's example of mannwhitneyu, asymptotic",
			[]float64{19, 22, 16, 29, 24},
			[]float64{20, 11, 17, 12},
			17.0 / 20, 0.11134688653314041,
		},
		{
			"R's example of wilcox.test, W = 35",
			[]float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46},
			[]float64{1.15, 0.88, 0.90, 0.74, 1.21},
			35.0 / 50, 0.24462, // z = 9.5 / sqrt(200/3)
		},
		// Each 2 ties the 2, and the 4 beats 2 and 3: U = 3. z = 2.5 / sqrt(4·3/12·(8 - 24/42)).
		{"ties", []float64{1, 2, 2, 4}, []float64{2, 3, 5}, 3.0 / 12, 0.35901},
		{"one value", []float64{7, 7, 7}, []float64{7, 7}, 0.5, 1},
		{"apart", []float64{4, 5, 6}, []float64{1, 2, 3}, 1, 0.08086}, // z = 4 / sqrt(5.25)
		{"apart, the other way", []float64{1, 2, 3}, []float64{4, 5, 6}, 0, 0.08086},
		{"none", nil, []float64{1}, 0.5, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			superiority, p := mannWhitney(tt.a, tt.b)
			if math.Abs(superiority-tt.superiority) > 1e-9 || math.Abs(p-tt.p) > 1e-5 {
				t.Errorf("mannWhitney = %v, %v; want %v, %v", superiority, p, tt.superiority, tt.p)
			}
		})
	}
}

func TestSuperiorityNoise(t *testing.T) {
	t.Parallel()
	if got := superiorityNoise(300, 300); math.Abs(got-0.04623) > 1e-4 {
		t.Errorf("superiorityNoise(300, 300) = %v", got)
	}
}
