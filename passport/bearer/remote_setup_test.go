package bearer_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// issuerServer is an issuer that publishes what a test wants, at the paths of a Countersign server.
type issuerServer struct {
	*httptest.Server
	discovery, keys, feed atomic.Pointer[http.HandlerFunc]
	keysAsked             atomic.Int64
	key                   *jwt.Key
}

func newIssuerServer(t testing.TB) *issuerServer {
	s := &issuerServer{key: must(jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k1"}))}
	mux := http.NewServeMux()
	for path, answer := range map[string]*atomic.Pointer[http.HandlerFunc]{
		"/.well-known/openid-configuration": &s.discovery, "/keys": &s.keys, "/feed": &s.feed,
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if path == "/keys" {
				s.keysAsked.Add(1)
			}
			(*answer.Load())(w, r)
		})
	}
	s.Server = httptest.NewServer(mux)
	if t != nil {
		t.Cleanup(s.Close)
	}
	s.describes(map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys", "countersign_revocation_feed": s.URL + "/feed"})
	s.publishes(s.key)
	s.revokes()
	return s
}

func says(h http.HandlerFunc) *http.HandlerFunc { return &h }

var badGateway = says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })

func (s *issuerServer) describes(doc map[string]any) {
	s.discovery.Store(says(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(doc)
	}))
}

func (s *issuerServer) publishes(keys ...*jwt.Key) {
	body := must(jwk.MarshalSet(keys...))
	s.keys.Store(says(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
}

// revokes has the feed say that these have ended. Each answer is a document of now.
func (s *issuerServer) revokes(keys ...string) {
	s.feed.Store(says(func(w http.ResponseWriter, _ *http.Request) {
		c := feedClaims(time.Now(), keys...)
		c.Issuer = s.URL
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = io.WriteString(w, must(jwt.Sign(s.key, "revocations+jwt", c)))
	}))
}

// token returns an access token.
func (s *issuerServer) token(subject string, change ...func(*jwt.Claims)) string {
	c := jwt.Claims{
		Issuer: s.URL, Audience: []string{audience}, Subject: subject, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Extra: map[string]any{},
	}
	for _, f := range change {
		f(&c)
	}
	return must(jwt.Sign(s.key, "at+jwt", c))
}

func newRemote(t testing.TB, cfg bearer.Config) *bearer.Remote {
	t.Helper()
	if cfg.Audience == "" {
		cfg.Audience = audience
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	r, err := bearer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// answerTo returns what a guard answers to a token.
func answerTo(r *bearer.Remote, token string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.Guard().HandlerFunc(func(w http.ResponseWriter, _ *http.Request, id passport.Identity[*passport.Principal]) {
		_, _ = io.WriteString(w, id.User.ID)
	}).ServeHTTP(w, request("/", "Authorization: Bearer "+token))
	return w
}

// comesTo waits for the status of the answer to a token.
func comesTo(t testing.TB, r *bearer.Remote, token string, status int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		w := answerTo(r, token)
		if w.Code == status {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("answers %d, not %d: %s", w.Code, status, w.Body)
		}
	}
}

func decode(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }
