package app

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

func TestSteadyTime(t *testing.T) {
	t.Parallel()
	began := time.Now() // as what it shows, and as a count
	for _, tt := range []struct {
		name         string
		wall, passed time.Duration
		want         time.Duration
	}{
		{"right", time.Hour, time.Hour, time.Hour},
		{"an hour ahead", 2 * time.Hour, time.Hour, time.Hour},
		{"started an hour ahead, and back", 0, time.Hour, 0},
		{"set back", 30 * time.Minute, time.Hour, 30 * time.Minute},
	} {
		if got := steadyTime(began.Round(0).Add(tt.wall), began, tt.passed); !got.Equal(began.Add(tt.want)) {
			t.Errorf("%s: %v, want %v", tt.name, got.Sub(began.Round(0)), tt.want)
		}
	}
	if got := steadyTime(began.Add(time.Minute), began, time.Minute); got.Year() != 1970 {
		t.Errorf("before it has settled: %v", got)
	}
	if got := newSteadyClock()(); got.Year() != 1970 {
		t.Errorf("at the start: %v", got)
	}
}

// What lives by the steady clock is not swept away, whatever the other one shows.
func TestSweepGoesByTheSteadyClock(t *testing.T) {
	t.Parallel()
	st, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	now := time.Now()
	u := store.User{ID: "u", Email: "mike@example.com", EmailKey: "mike@example.com", Epoch: "e", CreatedAt: now, UpdatedAt: now}
	if err := st.CreateUser(t.Context(), u, store.Credential{UserID: "u", Method: "m", Key: "k", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteUser(t.Context(), "u", now.Add(16*time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		steady time.Duration
		left   int
	}{{0, 1}, {16*time.Minute + 30*time.Second, 1}, {17*time.Minute + time.Second, 0}} { // a slow clock may be a minute behind
		a := &App{
			Store: st, log: slog.New(slog.DiscardHandler),
			now: func() time.Time { return now.Add(time.Hour) }, steady: func() time.Time { return now.Add(tt.steady) },
		}
		if _, err := a.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := st.Revocations(t.Context(), 0, 10)
		if err != nil || len(left) != tt.left {
			t.Errorf("%v ahead: %d revocations left, want %d; %v", tt.steady, len(left), tt.left, err)
		}
	}
}
