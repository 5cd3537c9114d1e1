package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// gate is a real store whose commits the test holds up, lets fail, and counts.
type gate struct {
	store.Events

	mu            sync.Mutex
	before, after func() error
	commits       []int
}

// set makes before run ahead of each commit and after behind it; either may turn it into a failure.
func (g *gate) set(before, after func() error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before, g.after = before, after
}

func (g *gate) AppendEvents(ctx context.Context, events ...store.Event) error {
	g.mu.Lock()
	before, after := g.before, g.after
	g.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	if err := g.Events.AppendEvents(ctx, events...); err != nil {
		return err
	}
	g.mu.Lock()
	g.commits = append(g.commits, len(events))
	g.mu.Unlock()
	if after != nil {
		return after()
	}
	return nil
}

func newLog(t testing.TB, now func() time.Time) (*audit.Log, *gate, *bytes.Buffer) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	g, lines := &gate{Events: s}, &bytes.Buffer{}
	return audit.New(g, slog.New(slog.NewJSONHandler(lines, nil)), now), g, lines
}

func list(t testing.TB, events store.Events) (all []store.Event) {
	t.Helper()
	all, err := events.ListEvents(t.Context(), "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// plain returns events without what differs from run to run.
func plain(events []store.Event) (all []store.Event) {
	for _, e := range events {
		e.ID, e.At = "", time.Time{}
		all = append(all, e)
	}
	return all
}

func login(n int) store.Event {
	return store.Event{Kind: "login", Result: audit.Failed, Reason: "wrong_credential", Method: "password", UserID: fmt.Sprint(n), Client: "192.0.2.1"}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.FixedZone("", 5*3600))
	l, g, lines := newLog(t, func() time.Time { return now })
	e := login(1)
	e.Subject, e.RequestID = "fingerprint", "r1"
	for range 2 {
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	set := now
	now = now.Add(-time.Hour) // a clock that is set back does not bring the order about
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}

	e.Count = 1
	got := list(t, g)
	if diff := cmp.Diff([]store.Event{e, e, e}, plain(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, want := range []time.Time{set, set, now} {
		id, err := uuid.Parse(got[i].ID)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%s is not a UUIDv7: %v", got[i].ID, err)
		}
		if s, ns := id.Time().UnixTime(); time.Unix(s, ns).UnixMilli() != set.UnixMilli() {
			t.Errorf("%s says %v, want %v", id, time.Unix(s, ns).UTC(), set.UTC())
		}
		if !got[i].At.Equal(want) {
			t.Errorf("event %d is of %v, want %v", i, got[i].At, want)
		}
		if after := got[i].ID; after <= audit.Before(set) || after >= audit.Before(set.Add(time.Millisecond)) {
			t.Errorf("%s does not stand between %s and %s", after, audit.Before(set), audit.Before(set.Add(time.Millisecond)))
		}
	}
	line, _, _ := strings.Cut(lines.String(), "\n")
	_, line, _ = strings.Cut(line, `"level":`)
	want := `"INFO","msg":"audit","kind":"login","method":"password","result":"failed","reason":"wrong_credential","user":"1","client":"192.0.2.1","request_id":"r1","count":1}`
	if line != want {
		t.Errorf("the line is %s", line)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), e); err == nil {
		t.Error("a closed log records")
	}
}

func TestManyRecorders(t *testing.T) {
	t.Parallel()
	l, g, _ := newLog(t, time.Now)
	const recorders, each = 64, 20
	var wg sync.WaitGroup
	for r := range recorders {
		wg.Go(func() {
			for i := range each {
				e := login(r*each + i)
				if err := l.Record(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := list(t, g)
	seen := map[string]bool{}
	for _, e := range got {
		seen[e.UserID] = true
	}
	if len(got) != recorders*each || len(seen) != recorders*each {
		t.Errorf("%d events of %d are there, want %d", len(got), len(seen), recorders*each)
	}
	t.Logf("%d events in %d commits", len(got), len(g.commits))
}

// heldUp starts a Record whose commit waits for release, and then others that wait for the next commit.
func heldUp(t *testing.T, l *audit.Log, g *gate, waiting int) (errs []error, release func()) {
	t.Helper()
	hold := make(chan struct{})
	g.set(func() error { <-hold; return nil }, nil)
	errs = make([]error, waiting+1)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = l.Record(context.Background(), login(i)) })
		synctest.Wait()
	}
	return errs, func() { close(hold); wg.Wait() }
}

func TestWaitingRecordersShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, g, _ := newLog(t, time.Now)
		errs, release := heldUp(t, l, g, 63)
		release()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]int{1, 63}, g.commits); diff != "" {
			t.Errorf("commits (-want +got):\n%s", diff)
		}
		for i, e := range list(t, g) {
			if e.UserID != fmt.Sprint(i) {
				t.Fatalf("event %d is that of caller %s: ids are not in the order of the calls", i, e.UserID)
			}
		}
	})
}

func TestFailureReachesAllOfItsBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, g, _ := newLog(t, time.Now)
		errs, release := heldUp(t, l, g, 63)
		fault, calls := errors.New("disk full"), 0
		g.set(func() error { // the commit of the first is past this
			if calls++; calls == 1 {
				return fault
			}
			return nil
		}, nil)
		release()
		for i, err := range errs {
			if errors.Is(err, fault) != (i > 0) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if err := l.Record(t.Context(), login(100)); err != nil {
			t.Errorf("the next one: %v", err)
		}
		if got := list(t, g); len(got) != 2 {
			t.Errorf("%d events are there, want the first and the last", len(got))
		}
	})
}

func TestWhoHangsUpIsStillRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, g, _ := newLog(t, time.Now)
		_, release := heldUp(t, l, g, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Record(ctx, login(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it did not return early: %v", err)
		}
		if err := l.Record(ctx, login(2)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it did not return early: %v", err)
		}
		release()
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := list(t, g); len(got) != 3 {
			t.Errorf("%d events are there, want all", len(got))
		}
	})
}

// BenchmarkRecord compares 64 callers who share commits with as many who each make their own.
func BenchmarkRecord(b *testing.B) {
	run := func(b *testing.B, record func(context.Context, store.Event) error) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := record(context.Background(), login(1)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.Run("shared", func(b *testing.B) {
		l, g, _ := newLog(b, time.Now)
		run(b, l.Record)
		b.ReportMetric(float64(b.N)/float64(len(g.commits)), "events/commit")
	})
	b.Run("one commit each", func(b *testing.B) {
		_, g, _ := newLog(b, time.Now)
		run(b, func(ctx context.Context, e store.Event) error {
			e.ID = uuid.Must(uuid.NewV7()).String()
			return g.AppendEvents(ctx, e)
		})
	})
	b.Run("one caller", func(b *testing.B) {
		l, _, _ := newLog(b, time.Now)
		for b.Loop() {
			if err := l.Record(b.Context(), login(1)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
