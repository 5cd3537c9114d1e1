package revocation_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
)

// ask polls a feed, with the entity tag that is known, if any.
func ask(feed http.Handler, etag string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, revocation.Path, nil)
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	w := httptest.NewRecorder()
	feed.ServeHTTP(w, r)
	return w
}

// content is what a document says.
type content struct {
	Iss, Aud string
	Iat, Exp int64
	Since    int64
	Size     int
	Entries  string
	hashes   []uint64
}

func read(t testing.TB, body string) content {
	t.Helper()
	u, err := jwt.DecodeUnverified(body)
	if err != nil && !errors.Is(err, jwt.ErrTooLarge) {
		t.Fatal(err)
	}
	payload := []byte(nil)
	if err == nil {
		if u.Header.Type != "revocations+jwt" || u.Header.KeyID != "k1" {
			t.Errorf("%+v", u.Header)
		}
		payload = u.Payload()
	} else if payload, err = base64.RawURLEncoding.DecodeString(strings.Split(body, ".")[1]); err != nil {
		t.Fatal(err)
	}
	var c content
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		t.Fatal(err)
	}
	entries, err := base64.RawURLEncoding.Strict().DecodeString(c.Entries)
	if err != nil || c.Size != 8 || len(entries)%8 != 0 {
		t.Fatalf("size %d, %d bytes, %v", c.Size, len(entries), err)
	}
	for ; len(entries) > 0; entries = entries[8:] {
		c.hashes = append(c.hashes, binary.BigEndian.Uint64(entries))
	}
	if !slices.IsSorted(c.hashes) {
		t.Error("the entries are not sorted")
	}
	return c
}

func (c content) has(key string) bool { return slices.Contains(c.hashes, revocation.FeedHash(key)) }

func TestDocument(t *testing.T) {
	t.Parallel()
	clock := newClock()
	set := newSet(t, open(t), revocation.Config{Now: clock.Now})
	load(t, set)
	feed := newFeed(t, set, signer(signKey(t)), revocation.FeedConfig{Now: clock.Now})
	until := clock.Now().Add(16 * time.Minute)
	set.Add(store.Revocation{Key: "s1", ExpiresAt: until}, store.Revocation{Key: "e1", ExpiresAt: until})
	clock.Advance(1500 * time.Millisecond) // what is said is as of the last look into the store
	w := ask(feed, "")
	for name, want := range map[string]string{"Content-Type": "application/jwt", "Cache-Control": "no-cache", "Content-Length": fmt.Sprint(w.Body.Len())} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	c := read(t, w.Body.String())
	if c.Iss != issuer || c.Aud != "countersign:revocations" || c.Iat != start.Unix() || c.Exp != start.Unix()+90 || c.Since != 0 {
		t.Errorf("%+v", c)
	}
	if !c.has("s1") || !c.has("e1") || c.has("s2") || len(c.hashes) != 64 {
		t.Errorf("%d entries", len(c.hashes))
	}
	etag := w.Header().Get("ETag")
	if len(etag) < 20 || etag[0] != '"' {
		t.Errorf("ETag %s", etag)
	}
	again := func(what string, fresh bool) {
		t.Helper()
		w := ask(feed, etag)
		if w.Code == http.StatusOK != fresh || w.Code != http.StatusOK && w.Code != http.StatusNotModified {
			t.Errorf("%s: %d", what, w.Code)
		}
		if w.Code == http.StatusNotModified && (w.Body.Len() != 0 || w.Header().Get("ETag") != etag || w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("Content-Type") != "") {
			t.Errorf("%s: %v %s", what, w.Header(), w.Body)
		}
		etag = w.Header().Get("ETag")
	}
	again("at once", false)
	load(t, set)
	again("nothing new", false)
	set.Add(store.Revocation{Key: "s2", ExpiresAt: until.Add(time.Minute)})
	again("a session ended", true)
	for range 5 {
		clock.Advance(5 * time.Second)
		load(t, set)
		again("nothing happens", false)
	}
	clock.Advance(5 * time.Second)
	load(t, set)
	again("half a minute later", true)
	for range 200 { // 17 minutes: all expire, and the margin too
		clock.Advance(5 * time.Second)
		load(t, set)
	}
	if c := read(t, ask(feed, "").Body.String()); c.has("s1") || !c.has("s2") || len(c.hashes) != 64 || c.Iat != clock.Now().Unix() {
		t.Errorf("%+v", c)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	set := newSet(t, open(t), revocation.Config{})
	load(t, set)
	go set.Run(t.Context())
	feed := newFeed(t, set, signer(signKey(t)), revocation.FeedConfig{})
	etag := ask(feed, "").Header().Get("ETag")
	for condition, want := range map[string]int{
		"": 200, etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, `"x",` + etag + `, "y"`: 304, "*": 304, ` ` + etag + "\t": 304,
		`"x"`: 200, `"x", W/"y"`: 200, strings.Trim(etag, `"`): 200, etag + "x": 200, "x" + etag: 200, `W/*`: 200, ",,": 200,
	} {
		if w := ask(feed, condition); w.Code != want {
			t.Errorf("If-None-Match %s: %d", condition, w.Code)
		}
	}
	server := httptest.NewServer(feed)
	t.Cleanup(server.Close)
	res, err := http.Head(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("ETag") != etag || res.ContentLength < 500 {
		t.Errorf("HEAD: %d %v", res.StatusCode, res.Header)
	}
	two := httptest.NewRequest(http.MethodGet, revocation.Path, nil)
	two.Header["If-None-Match"] = []string{`"x"`, etag}
	w := httptest.NewRecorder()
	feed.ServeHTTP(w, two)
	if w.Code != 304 {
		t.Errorf("two lines: %d", w.Code)
	}
}

// TestBounded has more revocations than a document may say: it drops the oldest, and says so.
func TestBounded(t *testing.T) {
	t.Parallel()
	clock := newClock()
	set := newSet(t, open(t), revocation.Config{Now: clock.Now})
	load(t, set)
	feed := newFeed(t, set, signer(signKey(t)), revocation.FeedConfig{Now: clock.Now, MaxEntries: 100})
	for i := range 103 {
		clock.Advance(time.Second)
		set.Add(store.Revocation{Key: fmt.Sprint("s", i), ExpiresAt: clock.Now().Add(16 * time.Minute)})
		load(t, set)
		c := read(t, ask(feed, "").Body.String())
		since, dropped := int64(0), max(0, i-99)
		if dropped > 0 {
			since = start.Unix() + int64(dropped) // when the newest of those dropped was written
		}
		if c.Since != since || len(c.hashes) > 100 || len(c.hashes) < 64 {
			t.Fatalf("%d revocations: since %d, want %d; %d entries", i+1, c.Since-start.Unix(), since-start.Unix(), len(c.hashes))
		}
		for j := range i + 1 {
			if c.has(fmt.Sprint("s", j)) != (j >= dropped) {
				t.Fatalf("%d revocations, number %d: wrong", i+1, j)
			}
		}
	}
	clock.Advance(15*time.Minute + 21*time.Second) // the first of them are over now
	load(t, set)
	if c := read(t, ask(feed, "").Body.String()); c.Since != 0 || !c.has("s102") {
		t.Errorf("complete again, but since %d", c.Since)
	}
	restarted := newSet(t, open(t), revocation.Config{Now: clock.Now}) // which cannot know when they were written
	restarted.Add(revoked(101, clock.Now().Add(10*time.Minute))...)
	if _, since := restarted.Alive(100); int64(since) != clock.Now().Unix() {
		t.Errorf("since %d, want %d", since, clock.Now().Unix())
	}
	if _, since := restarted.Alive(101); since != 0 {
		t.Errorf("since %d, though all are told of", since)
	}
}

// TestLargest has the largest document: it must fit what a verifier reads.
func TestLargest(t *testing.T) {
	t.Parallel()
	set := newSet(t, open(t), revocation.Config{})
	load(t, set)
	go set.Run(t.Context())
	set.Add(revoked(revocation.MaxEntries+10, time.Now().Add(time.Hour))...)
	w := ask(newFeed(t, set, signer(signKey(t)), revocation.FeedConfig{}), "")
	if c := read(t, w.Body.String()); len(c.hashes) != revocation.MaxEntries || c.Since == 0 || w.Body.Len() > 1<<20 {
		t.Errorf("%d entries in %d bytes, since %d", len(c.hashes), w.Body.Len(), c.Since)
	}
}

// TestNothingToSay has a feed that would be incomplete, or cannot be signed: it answers 503 rather than anything else.
func TestNothingToSay(t *testing.T) {
	t.Parallel()
	clock, db := newClock(), open(t)
	set := newSet(t, db, revocation.Config{Now: clock.Now})
	key := signKey(t)
	var broken atomic.Bool
	var log testkit.Log
	feed := newFeed(t, set, func(typ string, c jwt.Claims) (string, error) {
		if broken.Load() {
			return "", errors.New("the key is locked")
		}
		return jwt.Sign(key, typ, c)
	}, revocation.FeedConfig{Now: clock.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	check := func(what string, status int) {
		t.Helper()
		w := ask(feed, "")
		if w.Code != status {
			t.Errorf("%s: %d", what, w.Code)
		}
		if status == 503 && (w.Header().Get("Retry-After") != "1" || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Body.String(), `"revocations_unavailable"`)) {
			t.Errorf("%s: %v %s", what, w.Header(), w.Body)
		}
	}
	check("nothing was loaded", 503)
	load(t, set)
	check("loaded", 200)
	clock.Advance(5 * time.Second)
	check("five seconds without the store", 200)
	clock.Advance(1)
	check("more", 503)
	load(t, set)
	check("again", 200)
	broken.Store(true)
	check("the key is locked, the document still good", 200)
	clock.Advance(31 * time.Second)
	load(t, set)
	check("the key is locked", 503)
	check("still", 503)
	broken.Store(false)
	check("unlocked", 200)
	if text := log.String(); strings.Count(text, "cannot be signed") != 1 || strings.Count(text, "can be signed again") != 1 {
		t.Errorf("log:\n%s", text)
	}
}

// TestOneBuildForAll polls from everywhere at once, while sessions end: few documents are made, and after the last one
// nothing is missing.
func TestOneBuildForAll(t *testing.T) {
	t.Parallel()
	set := newSet(t, open(t), revocation.Config{})
	load(t, set)
	go set.Run(t.Context())
	set.Add(revoked(5000, time.Now().Add(time.Hour))...)
	key := signKey(t)
	var builds atomic.Int64
	feed := newFeed(t, set, func(typ string, c jwt.Claims) (string, error) {
		builds.Add(1)
		return jwt.Sign(key, typ, c)
	}, revocation.FeedConfig{})
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 32 {
		wg.Go(func() {
			<-start
			etag := ""
			for range 50 {
				w := ask(feed, etag)
				if w.Code != 200 && w.Code != 304 {
					t.Errorf("%d", w.Code)
				}
				etag = w.Header().Get("ETag")
			}
		})
	}
	wg.Go(func() {
		<-start
		for i := range 200 {
			set.Add(store.Revocation{Key: fmt.Sprint("s", i), ExpiresAt: time.Now().Add(time.Hour)})
		}
	})
	close(start)
	wg.Wait()
	if n := builds.Load(); n > 100 {
		t.Errorf("%d documents for 1600 polls and 200 sessions", n)
	}
	for deadline := time.Now().Add(5 * time.Second); !read(t, ask(feed, "").Body.String()).has("s199"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the last session is missing")
		}
	}
}

func TestNewFeedRefuses(t *testing.T) {
	t.Parallel()
	set, sign := newSet(t, open(t), revocation.Config{}), signer(signKey(t))
	good := revocation.FeedConfig{Issuer: issuer, Key: secret}
	for name, tt := range map[string]struct {
		set    *revocation.Set
		sign   revocation.Sign
		change func(*revocation.FeedConfig)
	}{
		"no set":       {nil, sign, func(*revocation.FeedConfig) {}},
		"no signature": {set, nil, func(*revocation.FeedConfig) {}},
		"no issuer":    {set, sign, func(c *revocation.FeedConfig) { c.Issuer = "" }},
		"short key":    {set, sign, func(c *revocation.FeedConfig) { c.Key = secret[:15] }},
		"too many":     {set, sign, func(c *revocation.FeedConfig) { c.MaxEntries = revocation.MaxEntries + 1 }},
		"negative":     {set, sign, func(c *revocation.FeedConfig) { c.MaxEntries = -1 }},
	} {
		cfg := good
		tt.change(&cfg)
		if _, err := revocation.NewFeed(tt.set, tt.sign, cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestDocumented has the hashes of docs/revocation.md.
func TestDocumented(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]uint64{sid: 0x2dd1c9f7639a6bf9, epoch: 0xe861e99575562cdb} {
		if got := revocation.FeedHash(key); got != want {
			t.Errorf("%s: %x, want %x", key, got, want)
		}
	}
}
