package revocation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/problem"
)

// What the document of the feed is. passport/bearer expects these, and docs/revocation.md says them.
const (
	Type     = "revocations+jwt"
	Audience = "countersign:revocations"
	// EntrySize is how many bytes of the hash of a key stand for it. At 65,536 entries, a session that was not ended is
	// taken for one that was with a chance of 1 in 2^47.
	EntrySize = 8
	// MaxEntries is the most entries that a document has, so that it stays under the 1 MiB that a verifier reads.
	MaxEntries = 1 << 16
)

const (
	// maxAge is the age at which a document is made anew though nothing has happened, and lifetime that at which
	// verifiers stop believing it.
	maxAge   = 30 * time.Second
	lifetime = 90 * time.Second
	// restPerWork is how much longer than it takes to make a document one is sent before another is made, and maxRest the
	// most of that: in a storm of logouts the documents take at most a tenth of a core.
	restPerWork = 10
	maxRest     = 200 * time.Millisecond
	// maxLag is how long ago the set may have heard of the store. Then the feed would be incomplete, and says nothing.
	maxLag = 5 * time.Second
	// maxDocument is how long a document can be.
	maxDocument = 1 << 20
)

// Sign signs claims as a document of that type.
type Sign func(typ string, c jwt.Claims) (string, error)

// FeedConfig is what a [Feed] needs beside the set and the signature.
type FeedConfig struct {
	// Issuer is the iss of the documents.
	Issuer string
	// Key makes the padding. All nodes of a server have the same one, of at least 16 bytes, that nobody else knows: who
	// knows it can tell padding from sessions.
	Key []byte
	// Lifetime says how long a revocation lives, as those who write it choose. The padding does as the revocations do. Nil
	// means 16 minutes.
	Lifetime func() time.Duration
	// MaxEntries bounds the document; 0 means [MaxEntries], which is also the most.
	MaxEntries int
	// Log is told when documents cannot be signed, and when they can again. Nil logs nothing.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Feed answers with the set as a signed document. It is safe for concurrent use.
type Feed struct {
	set  *Set
	sign Sign
	cfg  FeedConfig

	made    atomic.Pointer[document]
	making  sync.Mutex
	failing bool // guarded by making
}

// document is an answer of the feed, ready to be sent.
type document struct {
	body    []byte
	length  []string // headers
	etag    []string
	at      time.Time // it says what was known then
	version uint64
	made    time.Time
	rest    time.Duration // how long another one is not made, whatever has happened since
}

// NewFeed returns a Feed of set, whose documents sign signs.
func NewFeed(set *Set, sign Sign, cfg FeedConfig) (*Feed, error) {
	switch {
	case set == nil || sign == nil:
		return nil, errors.New("revocation: NewFeed needs a set and a signature")
	case cfg.Issuer == "":
		return nil, errors.New("revocation: the feed needs an issuer")
	case len(cfg.Key) < 16:
		return nil, errors.New("revocation: the feed needs a key of at least 16 bytes for its padding")
	case cfg.MaxEntries < 0 || cfg.MaxEntries > MaxEntries:
		return nil, errors.New("revocation: MaxEntries is out of range")
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = MaxEntries
	}
	if cfg.Lifetime == nil {
		cfg.Lifetime = func() time.Duration { return 16 * time.Minute }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Feed{set: set, sign: sign, cfg: cfg}, nil
}

// unavailable is the answer while there is nothing to say that would be complete.
var unavailable = problem.New(http.StatusServiceUnavailable, "revocations_unavailable",
	"What has been revoked is not known at the moment. Try again.").WithRetryAfter(time.Second)

// current returns the document of now. However many ask at once, one makes it.
func (f *Feed) current() (*document, error) {
	if f.set.Age() > maxLag {
		return nil, unavailable
	}
	if d := f.made.Load(); f.good(d) {
		return d, nil
	}
	f.making.Lock()
	defer f.making.Unlock()
	if d := f.made.Load(); f.good(d) {
		return d, nil
	}
	d, err := f.build()
	if err != nil {
		if !f.failing {
			f.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "the revocation feed cannot be signed", slog.Any("error", err))
		}
		f.failing = true
		return nil, unavailable
	}
	if f.failing {
		f.cfg.Log.LogAttrs(context.Background(), slog.LevelInfo, "the revocation feed can be signed again")
	}
	f.failing = false
	f.made.Store(d)
	return d, nil
}

// good reports whether d can be sent: it is young, and says what there is to say or was made just now.
func (f *Feed) good(d *document) bool {
	if d == nil {
		return false
	}
	now := f.cfg.Now()
	if age := now.Sub(d.at); age < 0 || age >= maxAge {
		return false
	}
	gap := now.Sub(d.made)
	return d.version == f.set.Version() || gap >= 0 && gap < d.rest
}

func (f *Feed) build() (*document, error) {
	began := f.cfg.Now()
	at := began.Add(-f.set.Age())
	hashes, since, version := f.set.alive(f.cfg.MaxEntries)
	hashes = padding{key: f.cfg.Key, turnover: f.cfg.Lifetime() + Margin}.fill(hashes, f.cfg.MaxEntries, began)
	token, err := f.sign(Type, jwt.Claims{
		Issuer: f.cfg.Issuer, Audience: []string{Audience}, IssuedAt: at, ExpiresAt: at.Add(lifetime), MaxBytes: maxDocument,
		Extra: map[string]any{"since": since, "size": EntrySize, "entries": encode(hashes)},
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(token))
	made := f.cfg.Now()
	return &document{
		body:    []byte(token),
		length:  []string{strconv.Itoa(len(token))},
		etag:    []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`},
		at:      at,
		version: version,
		made:    made,
		rest:    min(maxRest, restPerWork*made.Sub(began)),
	}, nil
}
