package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		status   int
		body     string
		err      string
	}{
		{"good", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", ""},
		{"other case and spaces", "HTTP/1.1 401 Unauthorized\r\ncontent-length:  0 \r\n\r\n", 401, "", ""},
		{"what follows is left", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", 200, "a", ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", "no usable Content-Length"},
		{"negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, "", "no usable Content-Length"},
		{"cut off in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 0, "", "unexpected EOF"},
		{"cut off in the head", "HTTP/1.1 200 OK\r\n", 0, "", "unexpected EOF"},
		{"closed", "", 0, "", "unexpected EOF"},
		{"no number for a length", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 0, "", "not a number"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", 0, "", "not an answer"},
		{"no number", "HTTP/1.1 abc\r\n\r\n", 0, "", "not an answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &rawClient{reader: bufio.NewReader(strings.NewReader(tt.in))}
			status, err := c.readAnswer()
			switch {
			case tt.err == "" && (err != nil || status != tt.status || string(c.body) != tt.body):
				t.Errorf("readAnswer = %d, %v with body %q", status, err, c.body)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("readAnswer: %v, want %q", err, tt.err)
			}
		})
	}
}

func TestTallyOf(t *testing.T) {
	t.Parallel()
	s := func(begin, end time.Duration) span { return span{begin: begin * time.Second, end: end * time.Second} }
	got := tallyOf([]span{
		s(0, 1),                   // before the window
		s(0, 4),                   // half of it inside
		s(2, 3), s(3, 5), s(5, 6), // inside
		s(8, 16), // a quarter inside
		s(12, 13),
		{4 * time.Second, 6 * time.Second, true},
	}, 2*time.Second, 10*time.Second)
	want := tally{PerSecond: 3.75 / 8, P50: 2 * time.Second, P99: 8 * time.Second, Mean: 16 * time.Second / 5, Answers: 5, Refused: 1.0 / 8}
	if got != want {
		t.Errorf("tallyOf = %+v, want %+v", got, want)
	}
	if got := tallyOf(nil, 0, time.Second); got != (tally{}) {
		t.Errorf("tallyOf(nil) = %+v", got)
	}
}

// TestPhase has two crowds on a real server; a wrong answer must end the run.
func TestPhase(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path == "/broken" {
			http.Error(w, "no more", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("welcome to " + r.URL.Path + r.FormValue("email")))
	}))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	crowdOf := func(r request, want string) crowd {
		wire, err := r.wire(addr)
		if err != nil {
			t.Fatal(err)
		}
		return crowd{Name: r.path, Clients: 2, Requests: [][]byte{wire}, Want: []byte(want)}
	}
	run := func(crowds ...crowd) (sight, error) {
		p := phase{addr, os.Getpid(), 0, 20 * time.Millisecond, crowds}
		return p.run(context.Background())
	}

	seen, err := run(
		crowdOf(request{method: http.MethodGet, path: "/a"}, "to /a"),
		crowdOf(account{"mike@example.com", "x"}.to("/b"), "to /bmike@"))
	if err != nil || len(seen.Crowds) != 2 || seen.Crowds[0].PerSecond == 0 || seen.Crowds[1].PerSecond == 0 {
		t.Errorf("run = %+v, %v", seen, err)
	}
	busy := crowdOf(request{method: http.MethodGet, path: "/busy"}, "")
	busy.MayRefuse = true
	if seen, err := run(busy); err != nil || seen.Crowds[0].Answers > 0 {
		t.Errorf("run = %+v, %v", seen, err)
	}
	busy.MayRefuse = false
	for want, crowd := range map[string]crowd{
		"retry after 1s":        busy,
		"answered 503: no more": crowdOf(request{method: http.MethodGet, path: "/broken"}, ""),
		"200 without":           crowdOf(request{method: http.MethodGet, path: "/c"}, "to /d"),
	} {
		if _, err := run(crowd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run: %v, want %q", err, want)
		}
	}
}
