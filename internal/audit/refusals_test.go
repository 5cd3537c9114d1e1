package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

func refusal(subject, client string) store.Event {
	return store.Event{Kind: "login", Reason: "many_failures", Subject: subject, Client: client, Method: "password"}
}

// counted returns a refusal as n of them are to stand in the log.
func counted(e store.Event, n int64) store.Event {
	e.Result, e.Count = audit.Refused, n
	return e
}

// pass lets time pass, and what is to happen in it end.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRefusalsOfAMinuteAreOneEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, g, lines := newLog(t, time.Now)
		start := time.Now()
		refuse := func(n int, e store.Event) {
			for range n {
				l.Refused(e)
			}
		}
		refuse(500, refusal("a", "192.0.2.1"))
		refuse(1, refusal("a", "192.0.2.2"))
		refuse(2, refusal("b", "2001:db8:0:1::1"))
		refuse(3, refusal("b", "2001:db8:0:1:ffff::2%eth0"))
		refuse(1, refusal("b", "2001:db8:0:2::1"))
		refuse(1, refusal("b", "::ffff:192.0.2.1"))
		refuse(1, refusal("b", ""))
		other := refusal("a", "192.0.2.1")
		other.Reason = "busy"
		refuse(1, other)
		pass(time.Minute - time.Second)
		refuse(1, refusal("a", "192.0.2.1"))
		if got := list(t, g); len(got) != 0 {
			t.Errorf("written before the minute's end: %v", got)
		}
		pass(2 * time.Second)
		got := list(t, g)
		if diff := cmp.Diff([]store.Event{
			counted(refusal("a", "192.0.2.1"), 501), counted(refusal("a", "192.0.2.2"), 1), counted(refusal("b", "2001:db8:0:1::/64"), 5),
			counted(refusal("b", "2001:db8:0:2::/64"), 1), counted(refusal("b", "192.0.2.1"), 1), counted(refusal("b", ""), 1), counted(other, 1),
		}, plain(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(got) > 0 && !got[0].At.Equal(start.Add(time.Minute)) {
			t.Errorf("they are of %v, want the minute's end", got[0].At)
		}

		pass(time.Hour)
		refuse(1, refusal("a", "192.0.2.1"))
		pass(time.Minute + time.Second)
		if diff := cmp.Diff([]int{7, 1}, g.commits); diff != "" {
			t.Errorf("commits (-want +got):\n%s", diff)
		}
		if n := strings.Count(lines.String(), `"msg":"audit"`); n != 8 {
			t.Errorf("%d lines in the log, want one for each event:\n%s", n, lines)
		}
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, g, _ := newLog(t, time.Now)
		const subjects = 6000
		for range 2 {
			for i := range subjects {
				l.Refused(refusal(fmt.Sprint(i), "192.0.2.1"))
			}
		}
		busy := refusal("x", "192.0.2.1")
		busy.Reason = "busy"
		l.Refused(busy)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Refused(busy) // too late, and no timer may come of it
		got := list(t, g)
		total, rest := int64(0), []store.Event{}
		for _, e := range got {
			if total += e.Count; e.Subject == "others" {
				rest = append(rest, e)
			}
		}
		if len(got) != 4096+2 || total != 2*subjects+1 || len(g.commits) != 1 {
			t.Errorf("%d events of %d refusals in commits %v", len(got), total, g.commits)
		}
		if diff := cmp.Diff([]store.Event{
			{Kind: "login", Result: audit.Refused, Reason: "many_failures", Subject: "others", Count: 2 * (subjects - 4096)},
			{Kind: "login", Result: audit.Refused, Reason: "busy", Subject: "others", Count: 1},
		}, plain(rest)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRefusalsAreWrittenOnceTheStoreTakesThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, g, lines := newLog(t, time.Now)
		fault := errors.New("disk full")
		fail := func() error { return fault }
		g.set(fail, nil)
		for range 3 {
			l.Refused(refusal("a", "192.0.2.1"))
			pass(time.Minute + time.Millisecond)
		}
		g.set(nil, fail) // it is written, and only the answer gets lost
		pass(time.Minute)
		g.set(nil, nil)
		l.Refused(refusal("b", "192.0.2.1"))
		pass(time.Minute)
		if diff := cmp.Diff([]store.Event{
			counted(refusal("a", "192.0.2.1"), 1), counted(refusal("a", "192.0.2.1"), 2), counted(refusal("b", "192.0.2.1"), 1),
		}, plain(list(t, g))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.Contains(lines.String(), "disk full") {
			t.Errorf("no word of the fault:\n%s", lines)
		}

		g.set(fail, nil)
		l.Refused(refusal("c", "192.0.2.1"))
		if err := l.Close(t.Context()); !errors.Is(err, fault) {
			t.Errorf("Close: %v", err)
		}
	})
}

// partly is a store without transactions whose first commit breaks off behind its first event.
type partly struct {
	store.Events
	broken bool
}

func (p *partly) AppendEvents(ctx context.Context, events ...store.Event) error {
	if p.broken {
		return p.Events.AppendEvents(ctx, events...)
	}
	p.broken = true
	return errors.Join(p.Events.AppendEvents(ctx, events[0]), store.ErrUnavailable)
}

func TestRefusalsOfAHalfWrittenMinute(t *testing.T) {
	t.Parallel()
	_, g, _ := newLog(t, time.Now)
	l := audit.New(&partly{Events: g}, slog.New(slog.DiscardHandler), time.Now)
	for i := range 5 {
		l.Refused(refusal(fmt.Sprint(i), "192.0.2.1"))
	}
	if err := l.Close(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if n := len(list(t, g)); n != 1 {
		t.Fatalf("%d events of the half", n)
	}
	if err := l.Close(t.Context()); err != nil { // writes what is left
		t.Fatal(err)
	}
	if n := len(list(t, g)); n != 5 {
		t.Errorf("%d of 5 refusals are in the log", n)
	}
}
