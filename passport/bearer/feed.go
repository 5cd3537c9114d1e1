package bearer

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/fetch"
)

// The bounds and defaults of [FeedConfig].
const (
	defaultInterval = 500 * time.Millisecond
	minInterval     = 10 * time.Millisecond
	defaultMaxStale = 30 * time.Second
	defaultLeeway   = 30 * time.Second
	maxFeedBytes    = 1 << 20
)

// What a document of the feed is.
const (
	feedType     = "revocations+jwt"
	feedAudience = "countersign:revocations"
	// feedAge is how long after it was issued a document is taken, whatever it says itself.
	feedAge = 5 * time.Minute
)

// FeedConfig configures [NewFeed].
type FeedConfig struct {
	// Issuer is the iss of the documents: the server's issuer, exactly. Required.
	Issuer string
	// Interval is how often the server is asked, less up to a fifth at random. 0 means half a second.
	Interval time.Duration
	// MaxStale is how long the server may be silent before tokens are no longer judged by what it said last. 0 means 30
	// seconds. What it said never counts for longer than the document itself says, 90 seconds as the server writes it.
	MaxStale time.Duration
	// InsecureFailOpen takes tokens unchecked while the feed is stale, also before its first document. The zero value
	// answers 503: an outage of the server is then one of this service too, but nobody whose session has ended gets in.
	InsecureFailOpen bool

	// Leeway is by how much this clock and the server's may differ. 0 means 30 seconds; at most a minute.
	Leeway time.Duration
	// MaxBytes is the longest document that is read. 0 means 1 MiB, which is also the most.
	MaxBytes int
	// Client asks the server; its redirects are not followed. Nil means one of its own.
	Client *http.Client
	// InsecureAllowHTTP takes an http URL of another host than this one. The signature still holds, but whoever is on
	// the way can hold documents back, for as long as they count.
	InsecureAllowHTTP bool
	// Logger is told when the feed fails, when it goes stale and when it is back. Nil is [slog.Default].
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Feed follows the revocation feed of a Countersign server, so that tokens that were verified here die with their
// session within a second: in memory, without a question to anybody for a request. [Feed.Run] must run for it to work.
// It is safe for concurrent use.
type Feed struct {
	cfg      FeedConfig
	source   *fetch.Source
	verifier *jwt.Verifier

	view atomic.Pointer[view]
	turn chan struct{} // held by whoever polls
	counters
}

// view is what is known. It does not change.
type view struct {
	known   known
	etag    string    // of the answer that it came with
	at      time.Time // of the last good answer; zero for never
	until   time.Time // when it is stale, by the steady clock
	expires time.Time // the exp of the newest document, by the clock on the wall
}

// NewFeed returns a Feed that asks url, as in https://auth.example/.well-known/countersign/revocations. Keys are those
// that the server signs its documents with: its public keys, or [FeedKeys] for a server with a shared secret.
func NewFeed(url string, keys jwt.KeySet, cfg FeedConfig) (*Feed, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("bearer: NewFeed: %w", err)
	}
	verifier, err := jwt.NewVerifier(keys, jwt.Expect{
		Issuer: cfg.Issuer, Audience: feedAudience, Type: []string{feedType},
		MaxAge: feedAge, Leeway: cfg.Leeway, Now: cfg.Now, MaxBytes: cfg.MaxBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("bearer: NewFeed: %w", err)
	}
	source, err := fetch.New(url, fetch.Config{
		Accept: []string{"application/jwt"}, MaxBytes: cfg.MaxBytes, Timeout: pollTimeout, Client: cfg.Client, InsecureAllowHTTP: cfg.InsecureAllowHTTP,
	})
	if err != nil {
		return nil, fmt.Errorf("bearer: NewFeed: %w", err)
	}
	f := &Feed{cfg: cfg, source: source, verifier: verifier, turn: make(chan struct{}, 1)}
	f.view.Store(&view{})
	return f, nil
}

func (c *FeedConfig) complete() error {
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{{&c.Interval, defaultInterval}, {&c.MaxStale, defaultMaxStale}, {&c.Leeway, defaultLeeway}} {
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = maxFeedBytes
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Issuer == "":
		return errors.New("FeedConfig.Issuer must be set")
	case c.Interval < minInterval:
		return fmt.Errorf("FeedConfig.Interval must be at least %v", minInterval)
	case c.MaxStale < 2*c.Interval:
		return errors.New("FeedConfig.MaxStale must be at least two Intervals")
	}
	return nil
}

// FeedKeys returns the keys of the feed of a server that signs its tokens with a shared secret (its jwt.secret): it
// signs the feed with another one that derives from it (RFC 5869), so that a document can never pass for a token.
// The secret has at least 32 bytes: a server with a shorter one has no feed.
func FeedKeys(secret []byte) (jwt.KeySet, error) {
	if len(secret) < sha256.Size {
		return nil, fmt.Errorf("bearer: FeedKeys: %w: the secret has %d bytes, at least %d are needed", jwt.ErrKey, len(secret), sha256.Size)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "countersign "+feedType, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("bearer: FeedKeys: %w", err)
	}
	key, err := jwt.NewSecretKey(jwt.HS256, derived, jwt.KeyOptions{})
	if err != nil {
		return nil, fmt.Errorf("bearer: FeedKeys: %w", err)
	}
	return jwt.NewStaticKeys(key)
}

// Check implements [Revocations]. A token without the claims sid and epoch belongs to no session that could end, and
// passes. What is known to have ended is refused even while the feed is stale.
func (f *Feed) Check(token *jwt.Token) error { return f.judge(marksOf(token), token) }

func (f *Feed) judge(m marks, token *jwt.Token) error {
	if m.unreadable {
		f.refused.Add(1)
		return ErrSessionEnded
	}
	if m.session == 0 && m.epoch == 0 {
		return nil
	}
	v := f.view.Load()
	if m.session != 0 && v.known.has(m.session) || m.epoch != 0 && v.known.has(m.epoch) {
		f.refused.Add(1)
		return ErrSessionEnded
	}
	if v.known.since > 0 && (token.IssuedAt.IsZero() || token.IssuedAt.Unix() <= v.known.since) {
		f.tooOld.Add(1)
		return ErrTooOldToTell
	}
	switch {
	case !f.stale(v):
		return nil
	case f.cfg.InsecureFailOpen:
		f.unchecked.Add(1)
		return nil
	}
	f.unavailable.Add(1)
	return ErrRevocationsUnavailable
}

// stale reports whether what is known is too old to judge by. The steady clock stands still while a machine sleeps, and
// the one on the wall can be set: a document counts no longer than either allows.
func (f *Feed) stale(v *view) bool {
	now := f.cfg.Now()
	return v.at.IsZero() || !now.Before(v.until) || !now.Before(v.expires.Add(f.cfg.Leeway))
}

// marks are what a feed knows a token by: the entries of its session and its epoch, 0 for none. They are kept with a
// token that is remembered, for they take longer to make than to look up.
type marks struct {
	session, epoch uint64
	unreadable     bool // a claim is no string, so that the token cannot be judged
}

func marksOf(token *jwt.Token) (m marks) {
	for _, claim := range []struct {
		name string
		mark *uint64
	}{{"sid", &m.session}, {"epoch", &m.epoch}} {
		text, isText := token.String(claim.name)
		switch {
		case text != "":
			*claim.mark = entryOf(text)
		case !isText && has(token, claim.name):
			m.unreadable = true
		}
	}
	return m
}

func has(token *jwt.Token, claim string) bool {
	_, ok := token.Claim(claim)
	return ok
}

// entryPrefix keeps the hashes of the feed apart from any other use of SHA-256 on the same text.
const entryPrefix = "countersign/rev:"

// entryOf returns the first eight bytes of the hash of a key, never 0.
func entryOf(key string) uint64 {
	var room [64]byte
	sum := sha256.Sum256(append(append(room[:0], entryPrefix...), key...))
	return max(1, binary.BigEndian.Uint64(sum[:8]))
}
