package bearer_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// recorder accepts every token and remembers it.
type recorder struct{ got *[]string }

func (r recorder) Verify(_ context.Context, token string) (*jwt.Token, error) {
	*r.got = append(*r.got, token)
	return &jwt.Token{}, nil
}

func FuzzExtractors(f *testing.F) {
	f.Add("Bearer abc", "", "", "", "")
	f.Add("bearer a b", "secret_token=x&secret%5Ftoken=y", "token=z", "q", "access_token=1")
	f.Add("", "a;secret_token=b", "token=\"x\"", "", "access%5ftoken=%zz;")
	f.Fuzz(func(t *testing.T, auth, query, cookie, field, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Authorization": auth, "Cookie": cookie, "X-Token": field} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var got []string
		s, err := bearer.NewStrategy(recorder{&got}, func(context.Context, *jwt.Token) (*user, bool, error) { return &user{"x"}, true, nil },
			bearer.Options{Extract: bearer.First(bearer.Header(), bearer.Query("secret_token"), bearer.Cookie("token"), bearer.HeaderField("X-Token"), bearer.Form("access_token"))})
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Authenticate(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := io.ReadAll(r.Body); err != nil || string(again) != body {
			t.Fatalf("the body does not come back: %q %v", again, err)
		}
		switch o.Kind() {
		case passport.Failed:
			if f, _ := o.Failure(); f.Absent != (f.Problem.Code == "unauthorized") || len(got) != 0 {
				t.Fatalf("%+v after %q", f.Problem, got)
			}
			return
		case passport.Succeeded:
		default:
			t.Fatalf("kind %v", o.Kind())
		}
		// net/http, asked for each place by itself, finds that token and no other.
		var found []string
		for _, v := range []string{strings.Trim(cutScheme(auth), " "), r.URL.Query().Get("secret_token"), field} {
			if v != "" {
				found = append(found, v)
			}
		}
		for _, c := range r.CookiesNamed("token") {
			if c.Value != "" {
				found = append(found, c.Value)
			}
		}
		if values, err := url.ParseQuery(body); err == nil && values.Get("access_token") != "" {
			found = append(found, values.Get("access_token"))
		}
		if len(got) != 1 || len(found) != 1 || got[0] != found[0] {
			t.Fatalf("verified %q, but the request has %q", got, found)
		}
	})
}

func cutScheme(header string) string {
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "bearer") {
		return token
	}
	return ""
}
