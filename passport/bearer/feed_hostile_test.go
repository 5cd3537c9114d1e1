package bearer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// hostileDocument is one that must not be believed.
type hostileDocument struct {
	body string
	want error // nil for any
}

// changedDocument signs a document of now that differs from a good one.
func changedDocument(t *testing.T, now time.Time, change func(*jwt.Claims)) string {
	t.Helper()
	c := feedClaims(now, "s2")
	change(&c)
	return signFeed(t, feedKey(), c)
}

// hostileTokens are documents that are no token, or not of the issuer, for us and of this time.
func hostileTokens(t *testing.T, now time.Time, good string) map[string]hostileDocument {
	t.Helper()
	other := must(jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k1"}))
	with := func(change func(*jwt.Claims)) string { return changedDocument(t, now, change) }
	typed := func(typ string) string { return must(jwt.Sign(feedKey(), typ, feedClaims(now, "s2"))) }
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"revocations+jwt"}`))
	return map[string]hostileDocument{
		"empty":                    {"", jwt.ErrMalformed},
		"html":                     {"<html>", jwt.ErrMalformed},
		"json":                     {`{"since":0,"size":8,"entries":""}`, jwt.ErrUnsupported},
		"unsigned":                 {header + "." + payload + ".", jwt.ErrMalformed},
		"alg none":                 {none + "." + payload + "." + signature, jwt.ErrAlgorithm},
		"other key":                {signFeed(t, other, feedClaims(now, "s2")), jwt.ErrSignature},
		"other algorithm":          {signFeed(t, key(t, secret), feedClaims(now, "s2")), jwt.ErrAlgorithm},
		"tampered":                 {header + "." + payload[:len(payload)-4] + "AAAA." + signature, jwt.ErrSignature},
		"white space":              {good + "\n", jwt.ErrMalformed},
		"an access token":          {must(jwt.Sign(feedKey(), "at+jwt", jwt.Claims{Issuer: issuer, Audience: []string{audience}, Subject: "u", IssuedAt: now, ExpiresAt: now.Add(time.Minute)})), jwt.ErrType},
		"at+jwt":                   {typed("at+jwt"), jwt.ErrType},
		"typ JWT":                  {typed("JWT"), jwt.ErrType},
		"no typ":                   {typed(""), jwt.ErrType},
		"typ in other letters":     {typed("Revocations+JWT"), jwt.ErrType},
		"typ as a media type":      {typed("application/revocations+jwt"), jwt.ErrType},
		"other issuer":             {with(func(c *jwt.Claims) { c.Issuer = "https://evil.example" }), jwt.ErrIssuer},
		"no issuer":                {with(func(c *jwt.Claims) { c.Issuer = "" }), jwt.ErrIssuer},
		"other audience":           {with(func(c *jwt.Claims) { c.Audience = []string{audience} }), jwt.ErrAudience},
		"no audience":              {with(func(c *jwt.Claims) { c.Audience = nil }), jwt.ErrAudience},
		"expired":                  {with(func(c *jwt.Claims) { c.ExpiresAt = now.Add(-time.Minute) }), jwt.ErrExpired},
		"no exp":                   {with(func(c *jwt.Claims) { c.ExpiresAt, c.InsecureNoExpiry = time.Time{}, true }), jwt.ErrClaim},
		"no iat":                   {with(func(c *jwt.Claims) { c.IssuedAt = time.Time{} }), jwt.ErrClaim},
		"from the future":          {with(func(c *jwt.Claims) { c.IssuedAt = now.Add(time.Minute) }), jwt.ErrIssuedInFuture},
		"old, but does not expire": {with(func(c *jwt.Claims) { c.IssuedAt, c.ExpiresAt = now.Add(-time.Hour), now.Add(time.Hour) }), jwt.ErrTooOld},
		"too long":                 {good + strings.Repeat("A", 1<<20), nil},
	}
}

// hostileClaims are documents of the issuer whose content is not what docs/revocation.md says.
func hostileClaims(t *testing.T, now time.Time) map[string]hostileDocument {
	t.Helper()
	claim := func(name string, value any) string {
		return changedDocument(t, now, func(c *jwt.Claims) {
			if c.Extra[name] = value; value == nil {
				delete(c.Extra, name)
			}
		})
	}
	entries := func(list ...string) string {
		return claim("entries", base64.RawURLEncoding.EncodeToString([]byte(strings.Join(list, ""))))
	}
	sorted := wireEntries(8, "a", "b")
	return map[string]hostileDocument{
		"no since":               {claim("since", nil), nil},
		"since a string":         {claim("since", "0"), nil},
		"since negative":         {claim("since", -1), nil},
		"since a fraction":       {claim("since", 1.5), nil},
		"since too large":        {claim("since", 1e30), nil},
		"no size":                {claim("size", nil), nil},
		"size 0":                 {claim("size", 0), nil},
		"size 7":                 {claim("size", 7), nil},
		"size 33":                {claim("size", 33), nil},
		"size negative":          {claim("size", -8), nil},
		"size null":              {claim("size", []any{nil}), nil},
		"size for other entries": {claim("size", 9), nil},
		"no entries":             {claim("entries", nil), nil},
		"entries a list":         {claim("entries", []string{sorted}), nil},
		"entries cut":            {entries("12345678", "2345"), nil},
		"padded base64":          {claim("entries", sorted+"=="), nil},
		"other alphabet":         {claim("entries", "++++++++++8"), nil},
		"line break":             {claim("entries", sorted[:4]+"\n"+sorted[4:]), nil},
		"stray bits":             {claim("entries", "AAAAAAAAAAF"), nil},
		"not sorted":             {entries("b2345678", "a2345678"), nil},
		"twice":                  {entries("a2345678", "a2345678"), nil},
	}
}

// TestHostileDocuments sends documents that must not be believed. What was known before stays.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	clock, server := newFeedClock(), newFeedServer(t)
	feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now})
	server.serves(signFeed(t, feedKey(), feedClaims(clock.now(), "s1")), `"1"`)
	poll(t, feed)
	clock.advance(time.Second)

	good := signFeed(t, feedKey(), feedClaims(clock.now(), "s2"))
	documents := hostileTokens(t, clock.now(), good)
	maps.Copy(documents, hostileClaims(t, clock.now()))
	for name, tt := range documents {
		before := feed.Stats()
		server.serves(tt.body, `"hostile"`)
		err := feed.Poll(t.Context())
		after := feed.Stats()
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), "evil") || after.Errors != before.Errors+1 || after.LastError != err.Error() || after.Documents != 1 || after.Entries != 1 {
			t.Errorf("%s: %v %+v", name, err, after)
		}
		if c := *server.condition.Load(); c != `"1"` {
			t.Errorf("%s: asked for by %q", name, c)
		}
	}
	if err := feed.Check(held(t, "s1", "", time.Now())); !errors.Is(err, bearer.ErrSessionEnded) {
		t.Errorf("what was known is lost: %v", err)
	}
	server.serves(good, `"2"`)
	poll(t, feed)
	if err := feed.Check(held(t, "s2", "", time.Now())); !errors.Is(err, bearer.ErrSessionEnded) {
		t.Errorf("the good one: %v", err)
	}
}

// TestHostileAnswers has answers that are wrong before there is a document in them. It is not parallel: it measures memory.
func TestHostileAnswers(t *testing.T) {
	server := newFeedServer(t)
	good := signFeed(t, feedKey(), feedClaims(time.Now(), "s1"))
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 8 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	document := func(w http.ResponseWriter, header ...string) {
		w.Header().Set("Content-Type", "application/jwt")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write([]byte(good))
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwt")
		for chunk := bytes.Repeat([]byte("A"), 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"no document, but not modified": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
		"other status":                  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(203); document(w) },
		"partial":                       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206); document(w) },
		"no content":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"error":                         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); document(w) },
		"media type":                    func(w http.ResponseWriter, _ *http.Request) { document(w, "Content-Type", "text/html") },
		"no media type":                 func(w http.ResponseWriter, _ *http.Request) { document(w, "Content-Type", "") },
		"redirect":                      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"redirect, same host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusMovedPermanently)
		},
		"redirect with the document": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(307)
			document(w)
		},
		"packed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
		"says that it is packed": func(w http.ResponseWriter, _ *http.Request) { document(w, "Content-Encoding", "br") },
		"says that it is long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt")
			w.Header().Set("Content-Length", "99999999999")
		},
		"endless": endless,
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			document(w)
		},
		"endless header": func(w http.ResponseWriter, _ *http.Request) { document(w, "X-Long", strings.Repeat("a", 1<<20)) },
	} {
		for _, client := range []*http.Client{nil, {}} { // one of its own, and one that unpacks what it can
			feed := newFeed(t, server.URL, bearer.FeedConfig{Client: client})
			server.says(answer)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := feed.Poll(t.Context())
			runtime.ReadMemStats(&after)
			if name == "endless header" && client != nil {
				continue // a client of the caller's has limits of its own
			}
			if s := feed.Stats(); err == nil || s.Errors != 1 || !s.Stale {
				t.Errorf("%s: %v %+v", name, err, s)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 7<<20 {
				t.Errorf("%s: %d MiB were allocated", name, n>>20)
			}
		}
	}
	feed := newFeed(t, server.URL, bearer.FeedConfig{})
	server.says(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header["Accept-Encoding"]; len(got) != 1 || got[0] != "identity" {
			t.Errorf("Accept-Encoding %q", got)
		}
		document(w, "Content-Type", "Application/JWT; charset=utf-8", "ETag", strings.Repeat("x", 1000))
	})
	poll(t, feed)
	poll(t, feed)
	if c := *server.condition.Load(); c != "" {
		t.Errorf("an entity tag of a thousand bytes is sent back: %q", c)
	}
}

// TestSlowAnswer has a server that does not get on. A poll ends with its context.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	server := newFeedServer(t)
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwt")
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("A"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "dripping": drip} {
		server.says(answer)
		feed := newFeed(t, server.URL, bearer.FeedConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		go func() { _ = feed.Poll(ctx) }() // another waits for its turn
		err := feed.Poll(ctx)
		cancel()
		if took := time.Since(start); err == nil || took > 3*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

// FuzzFeedDocument signs any payload and has it read. What is taken must be what docs/revocation.md allows.
func FuzzFeedDocument(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	head := `{"iss":"` + issuer + `","aud":"countersign:revocations","iat":1772366400,"exp":1772366490,`
	for _, s := range []string{
		`"since":0,"size":8,"entries":"` + wireEntries(8, "a", "b", "c") + `"}`,
		`"since":1772366000,"size":10,"entries":"` + wireEntries(10, "a", "b") + `"}`,
		`"since":0,"size":8,"entries":""}`,
		`"since":0,"size":8,"entries":"AAAAAAAAAAA"}`,
		`"size":32,"entries":"AA\nAA","since":1e2}`,
	} {
		f.Add(head + s)
	}
	server := newFeedServer(f)
	key := key(f, secret)
	f.Fuzz(func(t *testing.T, payload string) {
		feed, err := bearer.NewFeed(server.URL, jwt.StaticKeys{key}, bearer.FeedConfig{Issuer: issuer, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		doc := forge(secret, `{"alg":"HS256","typ":"revocations+jwt"}`, payload)
		first := feed.Take(doc)
		if second := feed.Take(doc); (first == nil) != (second == nil) {
			t.Fatalf("%v, then %v", first, second)
		}
		list := feed.Entries()
		if first != nil {
			if len(list) != 0 {
				t.Fatalf("refused, but has %d entries", len(list))
			}
			return
		}
		for i, e := range list {
			if !feed.Has(e) || i > 0 && list[i-1] > e {
				t.Fatalf("entry %d of %x", i, list)
			}
			if i := e + 1; i != 0 && feed.Has(i) != slices.Contains(list, i) {
				t.Fatalf("%x is taken to be in %x", i, list)
			}
		}
	})
}
