package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit/hostile"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// TestHostileRequests sends all that attackers send to a protected route of an API that guards itself: with the usual place
// of the token alone, and with all places switched on.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	private, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*jwt.Key{"own key": private, "shared secret": key(t, secret)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect := jwt.Expect{Issuer: issuer, Audience: audience, Type: []string{"at+jwt"}}
			if key.Algorithm().Symmetric() {
				expect.Type = []string{"JWT", "at+jwt", ""}
			}
			v, err := jwt.NewVerifier(jwt.StaticKeys{key}, expect)
			if err != nil {
				t.Fatal(err)
			}
			good, err := jwt.Sign(key, "at+jwt", jwt.Claims{Issuer: issuer, Audience: []string{audience}, Subject: "u1", ID: "1", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			gone, err := jwt.Sign(key, "at+jwt", jwt.Claims{Issuer: issuer, Audience: []string{audience}, Subject: "gone", ExpiresAt: time.Now().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			target := hostile.Target{Path: "/user/profile", Good: good, Key: key, Former: map[string]string{"of a user who is gone": gone}}
			t.Run("header", func(t *testing.T) {
				t.Parallel()
				send(t, target, v, bearer.Options{})
			})
			t.Run("everywhere", func(t *testing.T) {
				t.Parallel()
				everywhere := target
				everywhere.Query, everywhere.Cookie = "access_token", "token"
				send(t, everywhere, v, bearer.Options{Extract: bearer.First(bearer.Header(), bearer.Query("access_token"), bearer.Cookie("token"))})
			})
		})
	}
}

// The same, to an API that knows no more than its issuer, whose keys it fetches.
func TestHostileRequestsToARemote(t *testing.T) {
	t.Parallel()
	s := newIssuerServer(t)
	api := newRemote(t, bearer.Config{Issuer: s.URL})
	good := s.token("u1", func(c *jwt.Claims) { c.ID = "1" })
	comesTo(t, api, good, http.StatusOK)
	guard := api.Guard().HandlerFunc(func(http.ResponseWriter, *http.Request, passport.Identity[*passport.Principal]) {})
	server := httptest.NewServer(guard)
	t.Cleanup(server.Close)
	hostile.Run(t, hostile.Target{Addr: server.Listener.Addr().String(), Path: "/user/profile", Good: good, Key: s.key})
	if n := s.keysAsked.Load(); n > 2 {
		t.Errorf("all these had the keys fetched %d times", n)
	}
}

func send(t *testing.T, target hostile.Target, v bearer.Verifier, opt bearer.Options) {
	t.Helper()
	server := httptest.NewServer(handler(t, v, opt)) // and no router, which would answer for what is not its path
	t.Cleanup(server.Close)
	target.Addr = server.Listener.Addr().String()
	hostile.Run(t, target)
}
