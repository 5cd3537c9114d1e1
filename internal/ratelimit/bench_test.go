package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/ratelimit"
)

// BenchmarkEnterPassed is what a login costs: one read, two writes.
func BenchmarkEnterPassed(b *testing.B) {
	s, _ := open(b)
	l := newLogins(b, s, time.Now)
	for b.Loop() {
		pass(b, l, from(home))
	}
}

// BenchmarkEnterFailed is what a failure costs: one read, one write.
func BenchmarkEnterFailed(b *testing.B) {
	s, _ := open(b)
	l := newLogins(b, s, time.Now)
	i := 0
	for b.Loop() {
		i++
		e, err := l.Enter(b.Context(), ratelimit.Attempt{Account: fmt.Sprint(i), Client: attacker(i)})
		if err != nil {
			b.Fatal(err)
		}
		e.Failed()
	}
}

// BenchmarkEnterRefused is what a flood costs that is refused: no query but one a second.
func BenchmarkEnterRefused(b *testing.B) {
	s, _ := open(b)
	c := newClock()
	l := newLogins(b, s, c.Now)
	fail(b, l, from(home), 5)
	for b.Loop() {
		if _, err := l.Enter(b.Context(), from(home)); err == nil {
			b.Fatal("let in")
		}
	}
}

func BenchmarkDeviceCheck(b *testing.B) {
	d := newDevices(b)
	token := d.Issue(mike, start)
	for b.Loop() {
		if !isGood(d, token, mike) {
			b.Fatal("not good")
		}
	}
}

func BenchmarkSpray(b *testing.B) {
	s := newSpray(b, time.Now)
	i := 0
	for b.Loop() {
		i++
		s.Failed(fmt.Sprint("random ", i), mike)
	}
}
