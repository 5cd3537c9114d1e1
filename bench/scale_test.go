package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// Every errand finds its user, and may come again.
func TestErrands(t *testing.T) {
	t.Parallel()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := populate(t.Context(), s, 50); err != nil {
		t.Fatal(err)
	}
	users, err := s.ListUsers(t.Context(), "", 100)
	if err != nil || len(users) != 50 {
		t.Fatalf("%d users (%v)", len(users), err)
	}
	for i, u := range users {
		if u.ID != residentOf(i).id {
			t.Fatalf("user %d in the order of ids is %s, want %s", i, u.ID, residentOf(i).id)
		}
	}
	visitors := []resident{residentOf(3), residentOf(49), residentOf(3)}
	for _, e := range errands {
		took, err := e.run(t.Context(), s, visitors)
		if err != nil || len(took) != len(visitors) {
			t.Errorf("%s: %v (%v)", e.name, took, err)
		}
	}
	if sessions, err := s.ListSessions(t.Context(), visitors[0].id); err != nil || len(sessions) != 1 {
		t.Errorf("%d sessions are left (%v), want 1", len(sessions), err)
	}
}

func TestFreshen(t *testing.T) {
	t.Parallel()
	wire, err := newAccount().to("/signup").wire("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(wire)
	if err := freshen(wire); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before, wire) || len(before) != len(wire) || !bytes.Contains(wire, []byte("%40example.com&password=")) {
		t.Errorf("it is\n%s", wire)
	}
	if err := freshen([]byte("GET / HTTP/1.1\r\n\r\n")); err == nil {
		t.Error("a request without an address is freshened")
	}
}

func TestScaleReport(t *testing.T) {
	t.Parallel()
	took := func(d time.Duration) map[string][]time.Duration {
		all := map[string][]time.Duration{}
		for _, e := range errands {
			all[e.name] = []time.Duration{d, 10 * d}
		}
		return all
	}
	few := &scaleRow{users: fewUsers, took: took(20 * time.Microsecond)}
	many := &scaleRow{users: 1_000_000, took: took(30 * time.Microsecond)}
	many.took["refresh"] = []time.Duration{31 * time.Microsecond, time.Millisecond}
	r := newScaleReport(options{looks: 30_000}, few, many)
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| login | 20.0 µs | 200.0 µs | 30.0 µs | 300.0 µs | 1.50 | 1.50 |\n",
		"login: 1.50 times what it takes with 1,000; at most 1.5 wanted: **met**",
		"refresh: 1.55 times what it takes with 1,000; at most 1.5 wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}

func TestSignupReport(t *testing.T) {
	t.Parallel()
	r := &signupReport{options: options{rounds: 1, duration: time.Second}}
	r.seen = []sight{{ServerCPU: 1.6, LoadCPU: 0.2, Crowds: []tally{{PerSecond: 1999, P50: 20 * time.Millisecond, P99: 90 * time.Millisecond}}}}
	r.judge()
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Countersign | 1,999 | 1,999 to 1,999 | 20 ms | 90 ms | 1.60 | 0.20 |\n",
		"1,999 sign-ups a second; at least 2,000 wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}
