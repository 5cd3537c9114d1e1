package storetest

import (
	"io"
	"testing"
)

// Opened returns a store that was opened for a test, and has it closed with the test, which it ends when err is not nil.
func Opened[S io.Closer](t testing.TB, s S, err error) S {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
