package app_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

func TestKeySetFollowsTheRotation(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	first := s.Do(t, s.Request(t, "GET", "/.well-known/jwks.json", ""))
	etag := first.Header.Get("ETag")
	if got, want := first.Header.Get("Cache-Control"), "public, max-age=300, must-revalidate"; got != want {
		t.Errorf("Cache-Control %q, want %q", got, want)
	}
	for _, headers := range [][]string{{"If-None-Match: " + etag}, {"If-None-Match: \"x\", W/" + etag}, {"If-None-Match: *"}} {
		if res := s.Do(t, s.Request(t, "GET", "/.well-known/jwks.json", "", headers...)); res.Status != 304 || res.Body != "" || res.Header.Get("ETag") != etag {
			t.Errorf("%v: %d %q", headers, res.Status, res.Body)
		}
	}
	if _, err := s.App.Tokens.Rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	next := s.Do(t, s.Request(t, "GET", "/.well-known/jwks.json", "", "If-None-Match: "+etag))
	if next.Status != 200 || next.Header.Get("ETag") == etag {
		t.Fatalf("%d %s", next.Status, next.Header.Get("ETag"))
	}
	keys, err := jwk.ParseSet([]byte(next.Body), jwk.Options{}) // refuses secrets among public keys
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		if k.CanSign() || k.ID() == "" || k.Algorithm() != jwt.ES256 {
			t.Errorf("published: %v", k)
		}
	}
	// Whoever has read the set in time verifies what the new key signs, and what the old one has signed.
	v, err := jwt.NewVerifier(keys, jwt.Expect{Issuer: s.URL, Audience: s.URL, Type: []string{"at+jwt"}, Now: s.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	old := s.SignUpAndLogIn(t, "mike@example.com")
	s.Clock.Advance(10 * time.Minute)
	for _, token := range []string{old, s.LogIn(t, "mike@example.com")} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
}

// A key set is renewed at least twice while a new key waits.
func TestKeySetIsFreshForHalfThePublication(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[string]string{"1m": "max-age=30,", "1s": "max-age=0,", "24h": "max-age=300,"} {
		s := testkit.Start(t, "jwt.publish_ahead="+ahead)
		if got := s.Do(t, s.Request(t, "GET", "/.well-known/jwks.json", "")).Header.Get("Cache-Control"); !strings.Contains(got, want) {
			t.Errorf("%s: %q", ahead, got)
		}
	}
}

// No member of a private key or a secret is published, whatever the algorithm.
func TestNoPrivateMemberIsPublished(t *testing.T) {
	t.Parallel()
	public := map[string][]string{"EC": {"alg", "crv", "kid", "kty", "use", "x", "y"}, "RSA": {"alg", "e", "kid", "kty", "n", "use"}, "OKP": {"alg", "crv", "kid", "kty", "use", "x"}}
	for _, alg := range []string{"ES256", "RS256", "PS256", "ES384", "EdDSA", "HS256"} {
		s := testkit.Start(t, "jwt.algorithm="+alg)
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal([]byte(s.Do(t, s.Request(t, "GET", "/.well-known/jwks.json", "")).Body), &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			var names []string
			for name := range k {
				names = append(names, name)
			}
			slices.Sort(names)
			if diff := cmp.Diff(public[k["kty"].(string)], names); diff != "" || k["alg"] != alg {
				t.Errorf("%s: %s", alg, diff)
			}
		}
		if want := 1; alg == "HS256" && len(set.Keys) != 0 || alg != "HS256" && len(set.Keys) != want {
			t.Errorf("%s: %d keys", alg, len(set.Keys))
		}
		if res := s.Profile(t, s.SignUpAndLogIn(t, "mike@example.com")); res.Status != 200 {
			t.Errorf("%s: %d %s", alg, res.Status, res.Body)
		}
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "issuer=https://auth.example/base", "jwt.claims=tenant=acme,plan=$admin_data.plan")
	res := s.Do(t, s.Request(t, "GET", "/.well-known/openid-configuration", ""))
	var got map[string]any
	if err := json.Unmarshal([]byte(res.Body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"issuer": "https://auth.example/base", "jwks_uri": "https://auth.example/base/.well-known/jwks.json",
		"response_types_supported": []any{}, "subject_types_supported": []any{"public"},
		"id_token_signing_alg_values_supported": []any{"ES256"}, "acr_values_supported": []any{"aal1"},
		"claims_supported":            []any{"iss", "sub", "aud", "exp", "iat", "jti", "sid", "user", "epoch", "auth_time", "acr", "amr", "roles", "tenant", "plan"},
		"countersign_revocation_feed": "https://auth.example/base/.well-known/countersign/revocations",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(res.Header.Get("Cache-Control"), "public, max-age=300") {
		t.Errorf("Cache-Control %q", res.Header.Get("Cache-Control"))
	}
	again := s.Do(t, s.Request(t, "GET", "/.well-known/openid-configuration", "", "If-None-Match: "+res.Header.Get("ETag")))
	if again.Status != 304 {
		t.Errorf("again: %d", again.Status)
	}
	token := s.SignUpAndLogIn(t, "mike@example.com")
	u, err := jwt.DecodeUnverified(token)
	if err != nil {
		t.Fatal(err)
	}
	if tenant, _ := u.String("tenant"); tenant != "acme" {
		t.Errorf("claims %s", u.Payload())
	}
	if _, ok := u.Claim("plan"); ok {
		t.Error("a claim without a value is written")
	}
	shared := testkit.Start(t, "jwt.secret="+testkit.Secret)
	if res := shared.Do(t, shared.Request(t, "GET", "/.well-known/openid-configuration", "")); !strings.Contains(res.Body, `"HS256"`) {
		t.Errorf("under a shared secret: %s", res.Body)
	}
	alone := testkit.Start(t, "jwt.algorithm=HS256") // under a secret that nobody else has: there is no feed
	if res := alone.Do(t, alone.Request(t, "GET", "/.well-known/openid-configuration", "")); res.Status != 200 || strings.Contains(res.Body, "feed") {
		t.Errorf("under a secret of its own: %d %s", res.Status, res.Body)
	}
}
