package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func TestCollect(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	results := make(chan *vegeta.Result, 5)
	for n, r := range []vegeta.Result{
		{Code: 200, Latency: 3 * time.Second},
		{Code: 401, Error: "401 Unauthorized", Latency: time.Second},
		{Code: 503, Error: "503 Service Unavailable", Latency: time.Second},
		{Error: `Post "http://127.0.0.1:1/login": ` + noAnswer + " (Client.Timeout exceeded)", Latency: 10 * time.Second},
		{Error: "read tcp 127.0.0.1:1->127.0.0.1:2: connection reset by peer"},
	} {
		r.Timestamp = begin.Add(time.Duration(n+1) * time.Second)
		results <- &r
	}
	close(results)
	d, err := collect(results, begin)
	if err != nil {
		t.Fatal(err)
	}
	if d.Offered != 5 || d.PerSecond != 1 || d.Answered != 0.6 || d.P50 != time.Second || d.P99 != 3*time.Second || d.RightP50 != 3*time.Second {
		t.Errorf("collect = %+v", d)
	}
	if len(d.Statuses) != 3 || d.Statuses[200] != 1 || d.Failed[noAnswer] != 1 || d.Failed["connection reset by peer"] != 1 {
		t.Errorf("collect = %+v", d)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	f := &flood{Addr: "127.0.0.1:1", Bodies: attempts(account{"mike@example.com", "secret"}), Addresses: 300}
	next := f.targets()
	bodies, addresses := map[string]int{}, map[string]bool{}
	for range 3000 {
		var target vegeta.Target
		if err := next(&target); err != nil {
			t.Fatal(err)
		}
		bodies[string(target.Body)]++
		addresses[target.Header.Get("X-Forwarded-For")] = true
	}
	for body, n := range bodies {
		if n < 800 || n > 1200 {
			t.Errorf("%d attempts of 3000 are %s", n, body)
		}
	}
	if len(bodies) != 3 || len(addresses) < 290 || !addresses["10.0.1.43"] {
		t.Errorf("%d bodies, %d addresses", len(bodies), len(addresses))
	}
}

// A slow server must not be taken for a generator that has no connection free.
func TestFloodTransport(t *testing.T) {
	t.Parallel()
	for want, free := range map[string]int{noConnection: 0, noAnswer: 1} {
		transport := &floodTransport{}
		transport.http = &http.Transport{MaxConnsPerHost: 1, DialContext: transport.dial}
		addr := silent(t)
		c := &http.Client{Transport: transport, Timeout: 50 * time.Millisecond}
		if free == 0 { // somebody else has it
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = transport.RoundTrip(req) }()
			for transport.dialed.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		_, err := c.Get("http://" + addr)
		if err == nil || reason(err.Error()) != want {
			t.Errorf("Get: %v, want %q", err, want)
		}
	}
}

func TestFloodReport(t *testing.T) {
	t.Parallel()
	good := &floodRow{label: "Good", peakMiB: 90, healthy: 30 * time.Millisecond, flood: deluge{
		PerSecond: 10_000, Statuses: map[int]int{200: 5, 401: 6, 429: 7000, 503: 8},
	}}
	bad := &floodRow{label: "Bad", peakMiB: 151, healthy: never, flood: deluge{
		PerSecond: 7000, Statuses: map[int]int{500: 3}, Failed: map[string]int{noAnswer: 4000, "EOF": 1},
	}}
	var out bytes.Buffer
	if r := newFloodReport(options{}, []*floodRow{good}); !r.allMet() {
		t.Errorf("missed: %+v", r.targets)
	}
	r := newFloodReport(options{}, []*floodRow{good, bad})
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Good | 10,000 | 0 | 5 | 6 | 7,000 | 8 | 0 | 0 |",
		"| Bad | 7,000 | 0 | 0 | 0 | 0 | 0 | 3 | 4,001 |",
		"The generator offered only 7,000 attempts a second",
		"Without an answer: 1 × EOF; 4,000 × no answer in time.",
		"Bad: 151.0 MiB resident at the most; under 150 wanted: **MISSED**",
		"Bad: 3 answers were not 200, 401, 429 or 503; none wanted: **MISSED**",
		"Bad: well not even 1m0s after the flood; within 1000 ms wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}

// silent is the address of a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
