package account_test

import (
	"encoding/json"
	"testing"

	"github.com/countersign-auth/countersign/internal/account"
)

// FuzzProfile: the answer that is put together by hand is the one that encoding/json gives.
func FuzzProfile(f *testing.F) {
	f.Add("You made it to the secure route", "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a00", "mike@example.com", "e30.e30.AA")
	f.Add("", `"\<&>`, "\u2028é\xff\x00", "")
	f.Fuzz(func(t *testing.T, message, id, email, token string) {
		for _, c := range token { // that of a verified token
			if c != '.' && c != '-' && c != '_' && (c < '0' || '9' < c) && (c < 'A' || 'Z' < c) && (c < 'a' || 'z' < c) {
				return
			}
		}
		p := account.Profile{Message: message, User: account.ProfileUser{ID: id, Email: email}, Token: token}
		want, err := json.Marshal(p)
		if got := p.AppendJSON([]byte("x")); err != nil || string(got) != "x"+string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
