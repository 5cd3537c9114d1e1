package password

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	m, err := Measure(t.Context(), 20*time.Millisecond)
	if err != nil || m.Threads < 1 || m.Alone <= 0 || m.PerSecond <= 0 {
		t.Errorf("%+v, %v", m, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(gone, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestMeasurementCost(t *testing.T) {
	t.Parallel()
	m := Measurement{Alone: 60 * time.Millisecond, PerSecond: 100}
	for _, tt := range []struct {
		latency   time.Duration
		perSecond float64
		want      int
	}{
		{60 * time.Millisecond, 100, 10},
		{60 * time.Millisecond, 1, 10},
		{time.Second, 100, 10},
		{time.Second, 50, 11},
		{time.Second, 1, 14},
		{time.Hour, 0, MaxBcryptCost},
		{59 * time.Millisecond, 0, 9},
		{time.Millisecond, 0, 4},
		{900 * time.Microsecond, 0, 0},
		{time.Hour, 1e6, 0},
	} {
		if got, ok := m.Cost(tt.latency, tt.perSecond); got != tt.want || ok != (tt.want > 0) {
			t.Errorf("Cost(%v, %v) = %d, %v; want %d", tt.latency, tt.perSecond, got, ok, tt.want)
		}
	}
	if at := m.At(12); at.Alone != 240*time.Millisecond || at.PerSecond != 25 {
		t.Errorf("%+v", at)
	}
	if at := m.At(8); at.Alone != 15*time.Millisecond || at.PerSecond != 400 {
		t.Errorf("%+v", at)
	}
}
