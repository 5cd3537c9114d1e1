package main

import (
	"bufio"
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestReadWhole(t *testing.T) {
	t.Parallel()
	answer := func(date, id, vary string) string {
		body := `{"code":"invalid_credentials","request_id":"` + id + `"}`
		return "HTTP/1.1 401 Unauthorized\r\n" + vary + "Content-Length: " + strconv.Itoa(len(body)) + "\r\ndate: " + date + "\r\nX-Request-Id: " + id + "\r\n\r\n" + body
	}
	read := func(text string) (string, error) {
		c := &rawClient{reader: bufio.NewReader(strings.NewReader(text))}
		status, head, err := c.readWhole()
		if err == nil && status != 401 {
			t.Errorf("status %d", status)
		}
		return comparably(head, string(c.body)), err
	}
	first, err := read(answer("today", "a1", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(first, `{"code":"invalid_credentials","request_id":""}`) || !strings.Contains(first, "401") {
		t.Errorf("comparably = %q", first)
	}
	if second, err := read(answer("now", "b2", "")); err != nil || second != first {
		t.Errorf("another date and number: %q, %v; want %q", second, err, first)
	}
	if second, err := read(answer("now", "b2", "Vary: x\r\n")); err != nil || second == first {
		t.Errorf("another header looks the same: %q, %v", second, err)
	}
	for _, bad := range []string{"", "HTTP/1.1 200 OK\r\n\r\n", strings.TrimSuffix(answer("now", "b2", ""), "}"), "HTTP/1.1 401 x\r\nContent-Length: x\r\n\r\n"} {
		if got, err := read(bad); err == nil {
			t.Errorf("%q was taken: %q", bad, got)
		}
	}
}

func TestTimingRows(t *testing.T) {
	t.Parallel()
	var kinds []int
	var seen probed
	for round := range timingWarmup + 2 {
		for k := range timingKinds {
			kinds = append(kinds, k)
			seen.Took = append(seen.Took, time.Duration(100*round+k))
			seen.Answers = append(seen.Answers, "401")
		}
	}
	rows, err := timingRows(kinds, seen)
	if err != nil || len(rows) != len(timingKinds) {
		t.Fatal(len(rows), err)
	}
	for k, row := range rows {
		if len(row.took) != 2 || row.took[0] != time.Duration(100*timingWarmup+k) {
			t.Errorf("%s: %v", row.label, row.took)
		}
	}
	seen.Answers[3] = "403"
	if _, err := timingRows(kinds, seen); err == nil || !strings.Contains(err.Error(), timingKinds[3].label) {
		t.Errorf("another answer: %v", err)
	}
	seen.Answers = seen.Answers[1:]
	if _, err := timingRows(kinds, seen); err == nil {
		t.Error("a missing answer was not missed")
	}
}

func TestTimingReport(t *testing.T) {
	t.Parallel()
	around := func(label string, middle time.Duration) *timingRow {
		row := &timingRow{label: label}
		for n := range 101 {
			row.took = append(row.took, middle+time.Duration(n-50)*10*time.Microsecond)
		}
		return row
	}
	report := func(rows ...*timingRow) (string, bool) {
		r := newTimingReport(options{guesses: 101}, rows, 0.95)
		var out bytes.Buffer
		if err := r.write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String(), r.allMet()
	}
	base := around("unknown", 60*time.Millisecond)
	text, met := report(base, around("wrong", 60*time.Millisecond+5*time.Microsecond))
	if want := "| wrong | 60.01 ms | 59.60 ms | 60.41 ms | +5 µs | +0.01 % | 0.505 | 0.90 |\n"; !met || !strings.Contains(text, want) {
		t.Errorf("met %v; missing %q in:\n%s", met, want, text)
	}
	// The median is well within, and yet a few guesses tell.
	text, met = report(base, around("wrong", 60*time.Millisecond+5*time.Microsecond), around("leak", 61*time.Millisecond))
	if want := "the AUC farthest from 0.5 is 0.500 off (leak); at most 0.08 wanted: **MISSED**"; met || !strings.Contains(text, want) {
		t.Errorf("met %v; missing %q in:\n%s", met, want, text)
	}
}
