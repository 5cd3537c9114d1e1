package local_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/passport/local"
	"github.com/countersign-auth/countersign/problem"
)

func checkFuzzed(t *testing.T, rd local.Reader, media string, body []byte) (local.Credentials, bool) {
	t.Helper()
	r := post("/login", media, "")
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	c, err := rd.Read(r)
	if again, rerr := io.ReadAll(r.Body); rerr != nil || !bytes.Equal(again, body) {
		t.Fatalf("the body does not come back: %v", rerr)
	}
	if err != nil {
		var p *problem.Error
		if !errors.As(err, &p) || p.Status < 400 || p.Status > 499 || c != (local.Credentials{}) {
			t.Fatalf("error %v with %v", err, c)
		}
		return c, false
	}
	if c.Username == "" || c.Password == "" || !utf8.ValidString(c.Username) || !utf8.ValidString(c.Password) {
		t.Fatalf("credentials %q %q", c.Username, c.Password)
	}
	if media != jsonType {
		return c, true
	}
	// encoding/json is laxer; what the strict reader takes it must read alike.
	type pair struct{ Email, Password any }
	var doc struct {
		pair
		User pair
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		var tooBig *json.UnmarshalTypeError
		if !errors.As(err, &tooBig) {
			t.Fatalf("encoding/json refuses: %v", err)
		}
	}
	var m map[string]any
	if json.Unmarshal(body, &m) != nil {
		return c, true // a number out of range elsewhere
	}
	if rd.UsernameField == "user[email]" {
		m, _ = m["user"].(map[string]any)
	}
	if m["email"] != c.Username || m["password"] != c.Password {
		t.Fatalf("encoding/json reads %v, we %q %q", m, c.Username, c.Password)
	}
	return c, true
}
