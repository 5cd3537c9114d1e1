package storetest

import (
	"fmt"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
)

func event(n int) store.Event {
	return store.Event{ID: fmt.Sprintf("event-%03d", n), At: day, Kind: "login", Result: "ok", Count: 1}
}

func appendAll(t *testing.T, s store.Store, all ...store.Event) {
	t.Helper()
	if err := s.AppendEvents(t.Context(), all...); err != nil {
		t.Fatalf("AppendEvents: %v", err)
	}
}

func events(t *testing.T, s store.Store, after string, limit int) []store.Event {
	t.Helper()
	got, err := s.ListEvents(t.Context(), after, limit)
	if err != nil {
		t.Fatalf("ListEvents: %v", err)
	}
	return got
}

func eventRoundTrip(t *testing.T, s store.Store) {
	full := store.Event{
		ID: "id", At: day, Kind: "login", Result: "refused", Reason: "many_failures", UserID: "nobody who is here", Actor: "cli",
		Subject: "Ünï\u0301 <'\";--\U0001F600",
		Method:  "password", Client: "2001:db8::/64", RequestID: "r", Count: 1 << 62, Chain: []byte{0, 'h', 0xff},
	}
	appendAll(t, s)
	appendAll(t, s, full, event(1))
	same(t, events(t, s, "", 10), []store.Event{event(1), full})
}

func eventsAllOrNone(t *testing.T, s store.Store) {
	appendAll(t, s, event(2))
	changed := event(2)
	changed.Result = "failed"
	want(t, s.AppendEvents(t.Context(), event(1), changed, event(3)), store.ErrExists)
	want(t, s.AppendEvents(t.Context(), event(1), event(1)), store.ErrExists)
	same(t, events(t, s, "", 10), []store.Event{event(2)})
	appendAll(t, s, event(1), event(3))
}

func listEvents(t *testing.T, s store.Store) {
	appendAll(t, s, event(3), event(1))
	appendAll(t, s, event(5), event(2), event(4))
	var all []store.Event
	for after := ""; ; {
		page := events(t, s, after, 2)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
	same(t, all, []store.Event{event(1), event(2), event(3), event(4), event(5)})
	same(t, events(t, s, "event-0025", 1), []store.Event{event(3)}) // after need not be an id
}
