package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func seen(tallies ...tally) []sight {
	return []sight{{ServerCPU: 1, LoadCPU: 0.3, Crowds: tallies}}
}

func TestLoginReport(t *testing.T) {
	t.Parallel()
	row := func(s server, rate float64, lone time.Duration) *loginRow {
		return &loginRow{
			instance: &instance{server: s},
			crowd:    seen(tally{PerSecond: rate, P50: 400 * time.Millisecond}),
			lone:     seen(tally{P50: lone, Mean: lone}),
		}
	}
	r := newLoginReport(options{rounds: 1}, []*loginRow{
		row(server{label: "Ours", subject: true}, 30, 63*time.Millisecond),
		row(server{label: "Plain", group: groupPlain}, 10, 59*time.Millisecond),
		row(server{label: "Express", group: groupExpress}, 15, 50*time.Millisecond),
	})
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Plain | 10.0 | 10.0 to 10.0 | 400 ms | 0.00 ms | 100 % | 3.00 |\n",
		"| Ours | 63.0 ms | 63.0 ms to 63.0 ms | 63.0 ms |",
		"Ours: 3.00 times the logins a second of Plain; at least 2.5 wanted: **met**",
		"Ours: 2.00 times the logins a second of Express; at least 2.5 wanted: **MISSED**",
		"Ours: a lone login takes 1.068 times as long as with Plain; at most 1.05 wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}

func TestStormReport(t *testing.T) {
	t.Parallel()
	row := func(s server, other bool, calm float64) *stormRow {
		return &stormRow{
			instance: &instance{server: s}, other: other,
			calm:  seen(tally{PerSecond: calm, P99: time.Millisecond}),
			storm: seen(tally{PerSecond: 14000, P99: 4 * time.Millisecond}, tally{PerSecond: 6, Refused: 0.5, P50: 9 * time.Second}),
			alone: seen(tally{PerSecond: 40}),
		}
	}
	r := newStormReport(options{rounds: 1}, []*stormRow{
		row(server{label: "Ours", subject: true}, false, 19000),
		row(server{label: "Before"}, true, 20500),
	})
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Ours | 19,000 | 14,000 | 74 % | 1.00 ms | 4.00 ms | 6.0 | 0.5 | 40.0 | 15 % | 9000 ms |\n",
		"Ours: profile p99 of 4.00 ms in the storm; under 5.00 ms wanted: **met**",
		"Ours: 74 % of its calm reads a second in the storm; at least 70 % wanted: **met**",
		"Ours: in the storm 15 % of the logins a second that it does without the readers; at least 20 % wanted: **MISSED**",
		"Ours: 93 % of the calm reads a second of Before; at least 95 % wanted: **MISSED**",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
}
