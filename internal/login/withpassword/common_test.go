package withpassword

import (
	"strings"
	"testing"
)

func TestCommonTable(t *testing.T) {
	t.Parallel()
	n := len(commonTable) / commonWidth
	if len(commonTable)%commonWidth != 0 || n < 10_000 {
		t.Fatalf("%d bytes: %d passwords", len(commonTable), n)
	}
	if odds := float64(n) / (1 << (8 * commonWidth)); odds > 1.0/(1<<24) {
		t.Errorf("another password looks listed with a probability of %g", odds)
	}
	for i := 1; i < n; i++ {
		if commonEntry(i-1) >= commonEntry(i) {
			t.Fatalf("entry %d is not above the one before", i)
		}
	}
}

func TestCommonPasswords(t *testing.T) {
	t.Parallel()
	for _, pw := range []string{
		"123456", "password", "12345678", "qwertyuiop", "1qaz2wsx", "iloveyou", "sunshine", "football1", "password1!", "p@ssw0rd",
		"q1w2e3r4t5y6", "PassWord", "PASSWORD1", "\u212Aeyboard", // the Kelvin sign is a K
	} {
		if !isCommon(fold(pw)) {
			t.Errorf("%q is not listed", pw)
		}
	}
	for _, pw := range []string{"passwordpassword", "password12345678", "12345678password", "SunshineFootball1"} {
		if isCommon(fold(pw)) && pw != "passwordpassword" || !isTwoCommon(fold(pw)) {
			t.Errorf("%q is not two listed ones", pw)
		}
	}
	// What the documentation, the examples and the tests sign up with is to stay good, and so is what only has a
	// common password in it.
	for _, pw := range []string{
		"", "correct-horse", "correct horse", "correct horse battery", "correcthorsebatterystaple", "correct horse battery staple",
		"another horse", "new horse battery", "new-horse-password", "alice-secret", "bob-secret", "battery staple",
		"password and so on", "my password", "sunshine football", "ppassword12345678", "dragonmonkey",
		strings.Repeat("x", 72), strings.Repeat("\U0001F600", 15),
	} {
		if folded := fold(pw); isCommon(folded) || isTwoCommon(folded) {
			t.Errorf("%q is listed", pw)
		}
	}
}
