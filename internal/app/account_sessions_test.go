package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// listed is a session as GET /user/sessions lists it.
type listed struct {
	ID, Device, Client  string
	Methods             []string
	Remembered, Current bool
	CreatedAt           time.Time `json:"created_at"`
	LastUsedAt          time.Time `json:"last_used_at"`
	ExpiresAt           time.Time `json:"expires_at"`
	AuthTime            time.Time `json:"auth_time"`
}

func sessionsOf(t *testing.T, res *testkit.Response) []listed {
	t.Helper()
	var list struct{ Sessions []listed }
	if err := json.Unmarshal([]byte(res.Body), &list); err != nil || res.Status != http.StatusOK {
		t.Fatalf("GET /user/sessions: %d %s (%v)", res.Status, res.Body, err)
	}
	return list.Sessions
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	s.SignUp(t, "jane@example.com")
	form := "email=mike@example.com&password=" + strings.ReplaceAll(testkit.Password, " ", "+")
	phone := pairOf(s.Do(t, s.Request(t, http.MethodPost, "/login", form+"&remember=false", asForm, "User-Agent: Phone/1.0\u200b\u202e ü")))
	s.Clock.Advance(time.Minute)
	laptop := pairOf(s.Do(t, s.Request(t, http.MethodPost, "/login", form, asForm, "User-Agent: "+strings.Repeat("L", 500))))
	jane := logIn(t, s, "jane@example.com")
	s.Clock.Advance(time.Minute)
	laptop = refreshed(t, s, laptop.refresh)

	list := sessionsOf(t, by(t, s, phone.access, http.MethodGet, "/user/sessions", ""))
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	l, ph := list[0], list[1]
	if l.Current || !l.Remembered || l.Device != "Go-http-client/1.1" || l.LastUsedAt.Sub(l.CreatedAt) != time.Minute || l.AuthTime != l.CreatedAt {
		t.Errorf("laptop: %+v", l)
	}
	if !ph.Current || ph.Remembered || ph.Device != "Phone/1.0 ü" || ph.Client != "127.0.0.1" || !slices.Equal(ph.Methods, []string{"pwd"}) ||
		ph.ExpiresAt.Sub(ph.CreatedAt) != 24*time.Hour || ph.LastUsedAt != ph.CreatedAt {
		t.Errorf("phone: %+v", ph)
	}
	janes := sessionsOf(t, by(t, s, jane.access, http.MethodGet, "/user/sessions", ""))
	if len(janes) != 1 || !janes[0].Current {
		t.Errorf("jane: %+v", janes)
	}

	for name, id := range map[string]string{
		"another user's": janes[0].ID, "unknown": "0198c0de-0000-7000-8000-000000000000", "junk": "junk", "upper case": strings.ToUpper(l.ID),
		"a URN": "urn:uuid:" + l.ID, "in braces": "%7B" + l.ID + "%7D", "no dashes": strings.ReplaceAll(l.ID, "-", ""), "NUL": "%00", "bad UTF-8": "%ff",
		"quote": "'%20or%201=1", "long": strings.Repeat("a", 5000), "star": "*",
	} {
		if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+id, ""); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	for _, path := range []string{"/user/sessions/", "/user/sessions//", "/user/sessions/" + l.ID + "/", "/user/sessions/%2f", "/user/sessions/" + l.ID + "%2fx", "/user/sessions/..", "/user/sessions/%2e"} {
		if res := by(t, s, phone.access, http.MethodDelete, path, ""); res.Status != http.StatusNotFound || res.Code() != "not_found" {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
	if res := by(t, s, phone.access, http.MethodPost, "/user/sessions/"+l.ID, ""); res.Status != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "DELETE" {
		t.Errorf("POST: %d, Allow %q", res.Status, res.Header.Get("Allow"))
	}
	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+l.ID, "", "Sec-Fetch-Site: same-site"); res.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", res.Status)
	}
	laptop = wantAlive(t, s, laptop, "what none of them has ended")
	wantAlive(t, s, jane, "jane's")

	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+l.ID, ""); res.Status != http.StatusNoContent || res.Body != "" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	wantDead(t, s, laptop, "an ended session")
	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+l.ID, ""); res.Status != http.StatusNotFound {
		t.Errorf("again: %d", res.Status)
	}
	if list := sessionsOf(t, by(t, s, phone.access, http.MethodGet, "/user/sessions", "")); len(list) != 1 || list[0].ID != ph.ID {
		t.Errorf("%+v", list)
	}
	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+ph.ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("one's own: %d", res.Status)
	}
	wantDead(t, s, phone, "one's own session")
	if got := events(t, s, "session"); !slices.Equal(got, []string{"ok/ended", "ok/ended"}) {
		t.Errorf("events %v", got)
	}
}

func TestExpiredSessionsAreNotListed(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.idle=1h", "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	logIn(t, s, "mike@example.com")
	s.Clock.Advance(time.Hour)
	p := logIn(t, s, "mike@example.com")
	if a := accountOf(t, by(t, s, p.access, http.MethodGet, "/user", "")); a.Sessions != 1 || a.Session == nil {
		t.Errorf("%+v", a)
	}
}

func TestLogoutsAreEvents(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	for _, scope := range []string{"", `{"scope":"this"}`, `{"scope":"others"}`, `{"scope":"all"}`} {
		if res := by(t, s, logIn(t, s, "mike@example.com").access, http.MethodPost, "/logout", scope); res.Status != http.StatusNoContent {
			t.Fatalf("%s: %d", scope, res.Status)
		}
	}
	if got := events(t, s, "logout"); !slices.Equal(got, []string{"ok/this", "ok/this", "ok/others", "ok/all"}) {
		t.Errorf("events %v", got)
	}
}
