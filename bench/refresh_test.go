package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRefreshReport(t *testing.T) {
	t.Parallel()
	seen := func(rate float64, p99 time.Duration) []sight {
		return []sight{{ServerCPU: 1, Crowds: []tally{{PerSecond: rate, P50: 20 * time.Millisecond, P99: p99}}}}
	}
	r := newRefreshReport(options{rounds: 1, duration: time.Second}, []*refreshRow{
		{label: "Few", seen: seen(2500, 40*time.Millisecond), startMiB: 25, endMiB: 40, peakMiB: 41},
		{label: "Many", sessions: 1_000_000, seen: seen(1999, 50*time.Millisecond), startMiB: 26, endMiB: 56.5, peakMiB: 60},
	})
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Few | 2,500 | 2,500 to 2,500 | 20 ms | 40 ms | 100 % | 25.0 MiB | 40.0 MiB | 41.0 MiB |\n",
		"Few: 2,500 refreshes a second; at least 2,000 wanted: **met**",
		"Many: 1,999 refreshes a second; at least 2,000 wanted: **MISSED**",
		"Many: p99 of 50 ms; under 50 ms wanted: **MISSED**",
		"1,000,000 sessions take 16.5 MiB more of the process; under 16 wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}

// TestRefreshCrowd has clients on a server that takes each refresh token once.
func TestRefreshCrowd(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	next := map[string]int{"a": 0, "b": 0}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name, number, _ := strings.Cut(r.PostFormValue("refresh_token"), " ") // which a form must escape
		if n, ok := next[name]; r.Method != http.MethodPost || r.URL.Path != "/token/refresh" || !ok || number != fmt.Sprint(n) {
			http.Error(w, "reuse", http.StatusUnauthorized)
			return
		}
		next[name]++
		fmt.Fprintf(w, `{"token":"x","refresh_token":"%s %d"}`, name, next[name])
	}))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	c := crowd{Name: "refreshes", Clients: 2, Want: []byte(`"token":`), Refresh: true}
	for _, name := range []string{"a", "b"} {
		wire, err := refreshWith(name + " 0").wire(addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Requests = append(c.Requests, wire)
	}
	p := phase{addr, os.Getpid(), 0, 30 * time.Millisecond, []crowd{c}}
	if seen, err := p.run(context.Background()); err != nil || seen.Crowds[0].Answers < 2 {
		t.Errorf("%+v, %v", seen, err)
	}
	if next["a"] < 2 || next["b"] < 2 {
		t.Errorf("%v", next)
	}
	if _, err := p.run(context.Background()); err == nil || !strings.Contains(err.Error(), "answered 401: reuse") {
		t.Errorf("the first token again: %v", err)
	}
}

func TestRefreshTokenIn(t *testing.T) {
	t.Parallel()
	if got, err := refreshTokenIn([]byte(`{"token":"a","refresh_token":"csr_b"}` + "\n")); err != nil || got != "csr_b" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "{}", `{"refresh_token":""}`, `{"refresh_token":1}`} {
		if got, err := refreshTokenIn([]byte(bad)); err == nil {
			t.Errorf("%s: %q", bad, got)
		}
	}
}

// TestFillSessions copies whatever columns there are.
func TestFillSessions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT);
		CREATE TABLE sessions (user_id TEXT, id TEXT PRIMARY KEY, chain BLOB, expires_at BIGINT);
		INSERT INTO users VALUES ('u1', 'a@example.com'), ('u2', 'b@example.com');
		INSERT INTO sessions VALUES ('u1', 's1', x'00ff', 7), ('u2', 's2', x'01', 8)`); err != nil {
		t.Fatal(err)
	}
	if err := fillSessions(ctx, file, "b@example.com", 120_000); err != nil {
		t.Fatal(err)
	}
	var all, copies, ids, length int
	err = db.QueryRowContext(ctx, `SELECT count(*), sum(user_id = 'u2' AND chain = x'01' AND expires_at = 8), count(DISTINCT id),
		max(length(id)) FROM sessions`).Scan(&all, &copies, &ids, &length)
	if err != nil || all != 120_002 || copies != 120_001 || ids != all || length != 36 {
		t.Errorf("%v: %d rows, %d copies, %d ids of %d characters", err, all, copies, ids, length)
	}
	for _, email := range []string{"c@example.com"} {
		if err := fillSessions(ctx, file, email, 1); err == nil {
			t.Errorf("%s has no session to copy", email)
		}
	}
	if err := fillSessions(ctx, file+".none", "a@example.com", 1); err == nil {
		t.Error("there is no such file")
	}
}
