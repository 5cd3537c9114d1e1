package bearer_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

func TestNewFeedRefuses(t *testing.T) {
	t.Parallel()
	keys := jwt.StaticKeys{feedKey()}
	const good = "https://auth.example/.well-known/countersign/revocations"
	try := func(url string, keys jwt.KeySet, cfg bearer.FeedConfig) error {
		return second(bearer.NewFeed(url, keys, cfg))
	}
	ok := bearer.FeedConfig{Issuer: issuer}
	for _, url := range []string{good, "http://localhost:3000/x", "http://127.0.0.1/x", "http://127.8.8.8/x", "http://[::1]:1/x"} {
		if err := try(url, keys, ok); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := try("http://auth.internal/x", keys, bearer.FeedConfig{Issuer: issuer, InsecureAllowHTTP: true}); err != nil {
		t.Error(err)
	}
	for _, url := range []string{
		"", "/x", "auth.example", "http://auth.example/x", "http://10.0.0.1/x", "http://localhost.evil.example/x", "http://0.0.0.0/x", "ftp://localhost/x",
		"https:///x", "https://u:p@auth.example/x", "https://auth.example/x#y", "https:auth.example", "https://a b/", "http://127.0.0.1.evil.example/x",
	} {
		if try(url, keys, ok) == nil {
			t.Errorf("%q is taken", url)
		}
	}
	for name, cfg := range map[string]bearer.FeedConfig{
		"no issuer": {}, "interval": {Issuer: issuer, Interval: time.Millisecond}, "negative": {Issuer: issuer, Interval: -1},
		"stale at once": {Issuer: issuer, MaxStale: time.Second, Interval: time.Second}, "leeway": {Issuer: issuer, Leeway: time.Hour},
		"bytes": {Issuer: issuer, MaxBytes: 2 << 20},
	} {
		if try(good, keys, cfg) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if try(good, nil, ok) == nil || try(good, jwt.StaticKeys{}, ok) == nil {
		t.Error("no keys are taken")
	}
}

// TestFeedKeys has the documents of a server with a shared secret, and one that such a secret itself has signed.
func TestFeedKeys(t *testing.T) {
	t.Parallel()
	keys, err := bearer.FeedKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	if second(bearer.FeedKeys(secret[:31])) == nil {
		t.Error("a short secret is taken")
	}
	server := newFeedServer(t)
	feed, err := bearer.NewFeed(server.URL, keys, bearer.FeedConfig{Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	server.serves(signFeed(t, key(t, secret), feedClaims(time.Now(), "s1")), "")
	if err := feed.Poll(t.Context()); !errors.Is(err, jwt.ErrSignature) {
		t.Errorf("signed with the secret itself: %v", err)
	}
	// HKDF (RFC 5869) with no salt, computed elsewhere.
	derived := hexBytes(t, "4c20fc60b47a4980d6dc3da10efb7e364d634740312f7291c08bf735dc611b4c")
	server.serves(signFeed(t, key(t, derived), feedClaims(time.Now(), "s1")), "")
	poll(t, feed)
	if err := feed.Check(held(t, "s1", "", time.Now())); !errors.Is(err, bearer.ErrSessionEnded) {
		t.Error(err)
	}
}

// TestDocumented has the example of docs/revocation.md.
func TestDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/revocation.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := regexp.MustCompile(`(?m)^eyJ\S+$`).FindString(string(page))
	keys, err := bearer.FeedKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	feed, err := bearer.NewFeed("https://auth.example/", keys, bearer.FeedConfig{Issuer: "https://auth.example", Now: func() time.Time { return time.Unix(1772366460, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := feed.Take(doc); err != nil {
		t.Fatal(err)
	}
	if got := feed.Entries(); !slices.Equal(got, []uint64{0x2dd1c9f7639a6bf9, 0xe861e99575562cdb}) {
		t.Errorf("%x", got)
	}
	for _, tok := range []*jwt.Token{held(t, sid, "e1", time.Now()), held(t, "s1", epoch, time.Now())} {
		if err := feed.Check(tok); !errors.Is(err, bearer.ErrSessionEnded) {
			t.Error(err)
		}
	}
}
