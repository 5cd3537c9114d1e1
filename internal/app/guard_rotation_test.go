package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/snippet"
	"github.com/countersign-auth/countersign/jwt"
)

// soon are the times in the programs of the page, and those in their place here: keys are renewed after a second instead of
// five minutes, and an unknown key id asks again after 50 milliseconds instead of five seconds.
var soon = map[string][]string{
	"express-keys.mjs": {"300_000", "1_000", "> 5_000", "> 50"},
	"jose.mjs":         {"300_000", "1_000", "5_000", "50"},
	"orders.py":        {"(5 if", "(0.05 if", "else 300)", "else 1)"},
}

// hasty runs a program of the page with its times made short.
func hasty(t *testing.T, file, issuer string) *snippet.API {
	t.Helper()
	text := snippet.Text(t, guardPage, file)
	for times := range slices.Chunk(soon[file], 2) {
		if strings.Count(text, times[0]) == 0 {
			t.Fatalf("%s has no %s any more", file, times[0])
		}
		text = strings.ReplaceAll(text, times[0], times[1])
	}
	return snippet.Run(t, file, text, snippet.Scene{Issuer: issuer})
}

// While the programs of the page run, the server's key changes, in time and at once. They take every good token throughout, and
// none of a key that is taken away.
func TestGuardPageRotation(t *testing.T) {
	t.Parallel()
	for _, file := range guards {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, "jwt.publish_ahead=10s")
			id := s.SignUp(t, "mike@example.com")
			api := hasty(t, file, s.URL)
			tokens := map[string]string{}
			logIn := func(when string) {
				t.Helper()
				tokens[when] = s.LogIn(t, "mike@example.com")
				opens(t, api, id, tokens)
			}
			logIn("before")
			first := kidOf(t, tokens["before"])

			next, err := s.App.Tokens.Rotate(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			logIn("while the new key is published")
			passRenewal(t, func() { opens(t, api, id, tokens) })
			s.Clock.Advance(10 * time.Second) // the programs' clocks do not move: this is within the leeway
			logIn("of the new key")
			if got := kidOf(t, tokens["of the new key"]); got != next.ID || got == first {
				t.Fatalf("signed by %s, not by %s", got, next.ID)
			}
			if _, err := s.App.Tokens.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // it was not published ahead, so it is taken when the program may ask again
			logIn("of a key that nobody has seen")

			if err := s.App.Tokens.Retire(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			retired := map[string]string{"before": tokens["before"], "while published": tokens["while the new key is published"]}
			delete(tokens, "before")
			delete(tokens, "while the new key is published")
			for deadline := time.Now().Add(30 * time.Second); api.ByHeader(t, "/orders", retired["before"]).Status == http.StatusOK; {
				if time.Now().After(deadline) {
					t.Fatal("a token of a key that was taken away is still good")
				}
				opens(t, api, id, tokens)
			}
			refuses(t, api, retired)
			opens(t, api, id, tokens)
		})
	}
}

// passRenewal calls f again and again until the programs have renewed their keys in the meantime.
func passRenewal(t *testing.T, f func()) {
	t.Helper()
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) && !t.Failed(); {
		f()
	}
}

// kidOf returns the id of the key that signed a token.
func kidOf(t *testing.T, token string) string {
	t.Helper()
	decoded, err := jwt.DecodeUnverified(token)
	if err != nil {
		t.Fatal(err)
	}
	return decoded.Header.KeyID
}
