package jwk_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

func TestNewRemoteRefuses(t *testing.T) {
	t.Parallel()
	const good = "https://auth.example/jwks.json"
	for _, url := range []string{"", "/x", "http://auth.example/x", "http://10.0.0.1/x", "ftp://localhost/x", "https://u:p@auth.example/x", "file:///etc/passwd"} {
		if _, err := jwk.NewRemote(url, jwk.RemoteConfig{}); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
	for name, cfg := range map[string]jwk.RemoteConfig{
		"interval": {Interval: time.Millisecond}, "negative": {Interval: -1}, "age": {MaxAge: time.Second}, "stale": {MaxStale: time.Minute},
		"for ever": {MaxStale: math.MaxInt64}, "age for ever": {MaxAge: math.MaxInt64}, "never again": {Interval: math.MaxInt64},
		"secret": {Algorithm: jwt.HS256}, "algorithm": {Algorithm: "none"},
	} {
		if _, err := jwk.NewRemote(good, cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, cfg := range []jwk.RemoteConfig{{}, {Interval: 2 * time.Hour}, {MaxAge: 48 * time.Hour}, {Algorithm: jwt.RS256}} {
		if _, err := jwk.NewRemote(good, cfg); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestRemoteVerifies has a verifier with a set that never was: that is no refusal of the token.
func TestRemoteVerifies(t *testing.T) {
	t.Parallel()
	server, c := newKeyServer(t), newClock()
	r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now})
	v := must(jwt.NewVerifier(r, jwt.Expect{Issuer: "i", Audience: "a", Now: c.now}))
	key := someKeys()[0]
	token := must(jwt.Sign(key, "JWT", jwt.Claims{Issuer: "i", Audience: []string{"a"}, ExpiresAt: c.now().Add(time.Hour)}))
	if server.asked.Load() != 0 {
		t.Error("it asked before anybody needed it")
	}
	for range 3 {
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, jwt.ErrKeysUnavailable) {
			t.Fatal(err)
		}
	}
	if n := server.asked.Load(); n != 1 {
		t.Errorf("asked %d times in one back-off", n)
	}
	server.publishes(key)
	c.advance(time.Second)
	tok, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Holds(tok.Key) || r.Holds(key) || r.Holds(nil) {
		t.Error("Holds is wrong")
	}
	if s := r.Stats(); s.Fetches != 2 || s.Errors != 1 || s.Keys != 1 || s.LastError != "" || s.Age != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRemoteRenews has the clock go on: the old set serves while the new one is fetched, ahead of time.
func TestRemoteRenews(t *testing.T) {
	t.Parallel()
	server, c, keys := newKeyServer(t), newClock(), someKeys()
	server.publishes(keys[0])
	r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now})
	if got := found(t, r, "a"); got != "a" {
		t.Fatal(got)
	}
	held := must(r.Keys(t.Context(), jwt.Header{KeyID: "a"}))[0]
	c.advance(200 * time.Second)
	if found(t, r, ""); server.asked.Load() != 1 {
		t.Error("it asked long before time")
	}
	// The server hangs, and nobody notices.
	release := make(chan struct{})
	server.says(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write(must(jwk.MarshalSet(keys[0], keys[1])))
	})
	c.advance(45 * time.Second) // 245 of 300: ahead of time
	for range 100 {
		if got := found(t, r, "a"); got != "a" {
			t.Fatal(got)
		}
	}
	close(release)
	becomes(t, r, "", "ab")
	if !r.Holds(held) || must(r.Keys(t.Context(), jwt.Header{KeyID: "a"}))[0] != held {
		t.Error("a key that stays is another one")
	}
	// The key goes, and so does what it signed.
	server.publishes(keys[1])
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Holds(held) {
		t.Error("a key that is gone is held")
	}
	// Another key with the same ID is another key.
	server.publishes(must(jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "b"})))
	held = must(r.Keys(t.Context(), jwt.Header{KeyID: "b"}))[0]
	if err := r.Refresh(t.Context()); err != nil || r.Holds(held) {
		t.Error("a key was changed for another one with its ID, and is held", err)
	}
	// A clock that is set back does not keep it from asking.
	n := server.asked.Load()
	c.advance(-48 * time.Hour)
	found(t, r, "b")
	for deadline := time.Now().Add(10 * time.Second); server.asked.Load() == n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it waits for the old time")
		}
	}
}

// TestRemoteOutage has the last good set serve for MaxStale, whatever the server answers.
func TestRemoteOutage(t *testing.T) {
	t.Parallel()
	key := someKeys()[0]
	elsewhere := newKeyServer(t)
	elsewhere.publishes(someKeys()[1])
	good := string(must(jwk.MarshalSet(someKeys()[1])))
	packed := func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(good))
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
	for name, answer := range map[string]http.HandlerFunc{
		"502":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"204":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"304 unasked":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
		"redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"packed":       packed,
		"garbage":      says("<html>"),
		"empty":        says(""),
		"no key":       says(`{"keys":[]}`),
		"of no use":    says(`{"keys":[{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}]}`),
		"broken key":   says(`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"b","x":"AA","y":"AA"}]}`),
		"private key":  says(`{"keys":[` + string(must(jwk.MarshalPrivate(someKeys()[1]))) + `]}`),
		"secret":       says(`{"keys":[{"kty":"oct","alg":"HS256","kid":"b","k":"` + strings.Repeat("A", 43) + `"}]}`),
		"two of an ID": says(`{"keys":[` + string(must(jwk.Marshal(someKeys()[1]))) + "," + string(must(jwk.Marshal(someKeys()[1]))) + `]}`),
		"huge":         says(`{"keys":[],"x":"` + strings.Repeat("x", 300<<10) + `"}`),
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(good))
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, c := newKeyServer(t), newClock()
			server.publishes(key)
			r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now})
			if got := found(t, r, "a"); got != "a" {
				t.Fatal(got)
			}
			server.says(answer)
			for range 3 {
				if err := r.Refresh(t.Context()); err == nil || strings.Contains(err.Error(), "xxx") || strings.Contains(err.Error(), "AAAA") {
					t.Fatalf("the error is %v", err)
				}
			}
			if got := found(t, r, "a"); got != "a" {
				t.Errorf("the last good set is lost: %q", got)
			}
			if got := found(t, r, "b"); got != "!" { // nobody knows whether there is such a key
				t.Errorf("an unknown key: %q", got)
			}
			c.advance(23 * time.Hour)
			if got := found(t, r, "a"); got != "a" {
				t.Errorf("after 23 hours: %q", got)
			}
			c.advance(time.Hour + time.Second)
			if got := found(t, r, "a"); got != "!" {
				t.Errorf("after a day: %q", got)
			}
			if s := r.Stats(); s.Keys != 0 || s.LastError == "" || s.Age < 24*time.Hour {
				t.Errorf("%+v", s)
			}
			server.publishes(key)
			c.advance(2 * time.Minute)
			becomes(t, r, "a", "a")
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// TestRemoteLog has an outage that the last set does not outlive.
func TestRemoteLog(t *testing.T) {
	t.Parallel()
	server, c := newKeyServer(t), newClock()
	server.publishes(someKeys()[0])
	var out bytes.Buffer
	r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	found(t, r, "a")
	server.says(says("<html>"))
	for _, after := range []time.Duration{0, time.Hour, 24 * time.Hour, time.Hour} {
		c.advance(after)
		if err := r.Refresh(t.Context()); err == nil {
			t.Fatal("a page is a key set")
		}
	}
	server.publishes(someKeys()[0])
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Close()
	var said []string
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(line, `msg="key set: `)
		text, _, _ = strings.Cut(text, `"`)
		said = append(said, text)
	}
	want := []string{"not renewed: the last one serves", "none serves: tokens are answered 503", "back"}
	if !slices.Equal(said, want) {
		t.Errorf("it said %q", said)
	}
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// TestUnknownKeys has the row J4: a thousand key IDs that nobody has cause one fetch in an interval.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	server, c, keys := newKeyServer(t), newClock(), someKeys()
	server.publishes(keys[0])
	r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now})
	found(t, r, "a")
	for round := range 3 {
		var wg sync.WaitGroup
		for w := range 20 {
			wg.Go(func() {
				for i := range 50 {
					if got := found(t, r, fmt.Sprintf("x-%d-%d-%d", round, w, i)); got != "" {
						t.Errorf("found %q", got)
					}
				}
			})
		}
		wg.Wait()
		if n := server.asked.Load(); n != int64(round)+2 {
			t.Errorf("asked %d times after round %d", n, round)
		}
		c.advance(31 * time.Second)
	}
	// A new key is found by the first token that names it; while it is sought, tokens of the old one pass.
	asked, release := make(chan struct{}), make(chan struct{})
	server.says(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		_, _ = w.Write(must(jwk.MarshalSet(keys[0], keys[1])))
	})
	got := make(chan string)
	go func() { got <- found(t, r, "b") }()
	<-asked
	if old := found(t, r, "a"); old != "a" {
		t.Errorf("meanwhile %q", old)
	}
	close(release)
	if b := <-got; b != "b" {
		t.Errorf("the new key: %q", b)
	}
}

// TestRemoteOneFlight has 64 callers for one set that is slow, some of whom do not wait for it.
func TestRemoteOneFlight(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t)
	asked, release := make(chan struct{}), make(chan struct{})
	server.says(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		_, _ = w.Write(must(jwk.MarshalSet(someKeys()...)))
	})
	r := remote(t, server.URL, jwk.RemoteConfig{})
	impatient, leave := context.WithCancel(t.Context())
	var gone, served sync.WaitGroup
	for i := range 64 {
		if i%4 == 0 {
			gone.Go(func() {
				if _, err := r.Keys(impatient, jwt.Header{KeyID: "a"}); !errors.Is(err, context.Canceled) {
					t.Errorf("who left got %v", err)
				}
			})
			continue
		}
		served.Go(func() {
			if got := found(t, r, "b"); got != "b" {
				t.Errorf("found %q", got)
			}
		})
	}
	<-asked
	leave()
	gone.Wait()
	close(release)
	served.Wait()
	if n := server.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestRemoteUnderLoad has 64 goroutines while keys come and go and the clock goes on. At no time is a good key not found.
func TestRemoteUnderLoad(t *testing.T) {
	t.Parallel()
	server, c, keys := newKeyServer(t), newClock(), someKeys()
	server.publishes(keys[0])
	r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now})
	found(t, r, "a")
	ctx, stop := context.WithCancel(t.Context())
	var running, wg sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	for w := range 64 {
		wg.Go(func() {
			for i := range 100 {
				if got := found(t, r, "a"); got != "a" {
					t.Errorf("found %q", got)
				}
				switch (w*100 + i) % 50 {
				case 0:
					c.advance(10 * time.Second)
				case 1:
					server.publishes(keys[0], keys[i%2+1])
				case 2:
					server.down()
				case 3:
					found(t, r, "unknown")
				}
			}
		})
	}
	wg.Wait()
	stop()
	running.Wait()
	if n := server.atOnce.Load(); n != 1 {
		t.Errorf("%d requests at once", n)
	}
}

// TestRemoteNotModified has an entity tag sent back, and what it confirms be fresh again.
func TestRemoteNotModified(t *testing.T) {
	t.Parallel()
	server, c := newKeyServer(t), newClock()
	server.says(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(must(jwk.MarshalSet(someKeys()...)))
	})
	r := remote(t, server.URL, jwk.RemoteConfig{Now: c.now})
	held := must(r.Keys(t.Context(), jwt.Header{KeyID: "a"}))[0]
	for range 4 {
		c.advance(20 * time.Hour)
		if err := r.Refresh(t.Context()); err != nil || !r.Holds(held) {
			t.Fatalf("%v %+v", err, r.Stats())
		}
	}
}

// TestRemoteClose ends a fetch that hangs. What is known serves on.
func TestRemoteClose(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t)
	server.publishes(someKeys()[0])
	r := remote(t, server.URL, jwk.RemoteConfig{})
	found(t, r, "a")
	asked := make(chan struct{})
	server.says(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	done := make(chan string)
	go func() { done <- found(t, r, "b") }()
	<-asked
	r.Close()
	if got := <-done; got != "!" {
		t.Errorf("an unknown key: %q", got)
	}
	if got := found(t, r, "a"); got != "a" {
		t.Errorf("after Close: %q", got)
	}
	if err := r.Refresh(t.Context()); !errors.Is(err, jwk.ErrClosed) {
		t.Error(err)
	}
	never := remote(t, server.URL, jwk.RemoteConfig{})
	never.Close()
	if _, err := never.Keys(t.Context(), jwt.Header{}); !errors.Is(err, jwk.ErrClosed) {
		t.Error(err)
	}
}

// TestRemoteTLS has a server with a certificate that nobody vouches for.
func TestRemoteTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(says(string(must(jwk.MarshalSet(someKeys()...)))))
	t.Cleanup(server.Close)
	if got := found(t, remote(t, server.URL, jwk.RemoteConfig{}), "a"); got != "!" {
		t.Errorf("found %q", got)
	}
	if got := found(t, remote(t, server.URL, jwk.RemoteConfig{Client: server.Client()}), "a"); got != "a" {
		t.Errorf("with its certificate: %q", got)
	}
}

// TestRemoteClosesItsConnections: a Remote that had no client given leaves none open.
func TestRemoteClosesItsConnections(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(says(string(must(jwk.MarshalSet(someKeys()...)))))
	closed := make(chan struct{})
	server.Config.ConnState = func(_ net.Conn, is http.ConnState) {
		if is == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	r := remote(t, server.URL, jwk.RemoteConfig{})
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is open")
	}
}
