package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

func TestFollowShowsEachEventOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		log := audit.New(s, slog.New(slog.DiscardHandler), time.Now)
		record := func(from, to int) {
			for i := from; i < to; i++ {
				if err := log.Record(t.Context(), store.Event{Kind: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		record(0, 3)
		time.Sleep(time.Hour)
		record(3, 6)

		var shown []string
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			f := tail{events: s, show: func(e store.Event) error { shown = append(shown, e.Kind); return nil }}
			ended <- f.follow(ctx, 4)
		}()
		synctest.Wait()
		record(6, 1500)
		time.Sleep(10 * time.Second)
		early := store.Event{ID: audit.Before(time.Now().Add(-followOverlap/2)) + "-late", Kind: "late"} // another process's commit took its time
		record(1500, 1501)
		time.Sleep(time.Second)
		if err := s.AppendEvents(t.Context(), early); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		record(1501, 1502)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}

		var want []string
		for i := 2; i < 1501; i++ {
			want = append(want, fmt.Sprint(i))
		}
		want = append(want, "late", "1501")
		if diff := cmp.Diff(want, shown); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLastLooksBackAsFarAsItMust(t *testing.T) {
	t.Parallel()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	log := audit.New(s, slog.New(slog.DiscardHandler), func() time.Time { return now })
	start := now
	for i, ago := range []time.Duration{30 * 365 * 24 * time.Hour, 100 * time.Hour, time.Hour, 0} {
		now = start.Add(-ago)
		if err := log.Record(t.Context(), store.Event{Kind: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 6 {
		var got []string
		f := tail{events: s, show: func(e store.Event) error { got = append(got, e.Kind); return nil }}
		if err := f.last(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		want := []string{"0", "1", "2", "3"}
		if diff := cmp.Diff(want[max(0, 4-n):], append([]string{}, got...)); diff != "" {
			t.Errorf("%d (-want +got):\n%s", n, diff)
		}
	}
}
