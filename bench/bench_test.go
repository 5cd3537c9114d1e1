package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want string // part of the error; empty means none
	}{
		{"", ""},
		{"-only express,plain -rounds 1 -duration 1s -warmup 0 logins storm", ""},
		{"-only express", "-only leaves nothing to run in flood"},
		{"-check", ""},
		{"-check -only countersign", "-check needs"},
		{"-only nginx", `-only "nginx"`},
		{"-duration 1500ms", "whole seconds"},
		{"-duration 0", "whole seconds"},
		{"-warmup -1s", "-warmup"},
		{"-rounds -1", "at least 0"},
		{"-connections 0", "at least 1"},
		{"-check -only plain ceiling", "-only leaves nothing"},
		{"-sessions 0 refresh", "-sessions"},
		{"-check -only countersign refresh ceiling", ""},
		{"-load-core 0", "must differ"},
		{"-guesses 19 timing", "-guesses"},
		{"-rounds 1 profile", ""},
		{"-only plain -other-binary ./x storm", "-other-binary needs"},
		{"-neighbour profile", "-neighbour needs"},
		{"-check -only countersign storm", ""},
		{"-check -only countersign logins", "-check needs plain"},
		{"nothing", `no scenario "nothing"`},
	} {
		_, err := parse(strings.Fields(tt.args), io.Discard)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("parse(%q): %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestParseWrk(t *testing.T) {
	t.Parallel()
	line := func(requests, status, timeout string) string {
		return "Running 1s test\n" +
			`{"requests":` + requests + `,"duration_us":1000000,"p50_us":900,"p99_us":5000,` +
			`"errors":{"connect":0,"read":0,"write":0,"status":` + status + `,"timeout":` + timeout + "}}\n"
	}
	for _, tt := range []struct{ name, out, want string }{
		{"good", line("10", "0", "0"), ""},
		{"one answer is not a 200", line("10", "1", "0"), "of 10 answers 1 had a status"},
		{"timeout", line("10", "0", "2"), "2 timeouts"},
		{"nothing answered", line("0", "0", "0"), "no answer"},
		{"no result", "unable to connect\n", "unable to connect"},
		{"cut off", "{\n", "wrk: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseWrk([]byte(tt.out))
			switch {
			case tt.want == "" && (err != nil || got.Requests != 10 || got.P99US != 5000):
				t.Errorf("parseWrk = %+v, %v", got, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("parseWrk: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseCPUTime(t *testing.T) {
	t.Parallel()
	got, err := parseCPUTime("42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 1 0")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("parseCPUTime = %v, %v", got, err)
	}
	if _, err := parseCPUTime("42 (x) S"); err == nil {
		t.Error("a short line was taken")
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   []float64
		want float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{8, 2, 4, 6}, 5},
	} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestProfileReport(t *testing.T) {
	t.Parallel()
	newRow := func(s server, perSecond, cpu float64) *row {
		return &row{
			instance:    &instance{server: s},
			samples:     []sample{{perSecond, time.Millisecond, 20 * time.Millisecond, cpu, 0.95}},
			starts:      []time.Duration{100 * time.Millisecond},
			residentMiB: 41,
		}
	}
	r := newProfileReport(options{rounds: 1}, profileLoad, []*row{
		newRow(server{label: "Ours", subject: true}, 26000, 0.8),
		newRow(server{label: "Theirs", baseline: true}, 1300, 1),
	})
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Ours | 26,000 | 26,000 to 26,000 | 1.00 ms | 20 ms | 80 % | 32,500 | 20.0 |\n",
		"| Theirs | 1,300 | 1,300 to 1,300 | 1.00 ms | 20 ms | 100 % | 1,300 | 1.0 |\n",
		"Ours used only 80 % of its core: wrk had no more of its own core to give; it may be faster than this.\n",
		"| Ours | 100 ms | 100 ms | 41.0 MiB |\n",
		"20.0 times the requests a second of the Express app; at least 20 wanted: **met**",
		"cold start 100 ms; under 150 ms wanted: **met**",
		"41.0 MiB resident at idle; under 40 wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
	if r.allMet() {
		t.Error("allMet with 41 MiB")
	}
}
