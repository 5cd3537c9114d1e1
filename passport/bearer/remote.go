package bearer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/fetch"
	"github.com/countersign-auth/countersign/passport"
)

// Config configures [New]. Issuer and Audience are required; the rest may be left zero.
type Config struct {
	// Issuer is the server's issuer, exactly: the "iss" of its tokens, and the URL below which its discovery document is.
	Issuer string
	// Audience is who verifies, exactly: one of the "aud" of its tokens.
	Audience string
	// Secret is the secret that a server with jwt.secret signs its tokens with (HS256). Then no keys are fetched. At least 32
	// bytes.
	Secret []byte
	// Types lists what the "typ" of a token may be; an empty string allows a token without one. None means "at+jwt" alone (RFC
	// 9068), and with a Secret "JWT", "at+jwt" and none, for services that share a secret mint tokens too. Issuers other
	// than Countersign may write "JWT"; then their ID tokens pass as well, if they are for this audience.
	Types []string
	// Algorithm is for keys of the set that name none. Empty takes no such set.
	Algorithm jwt.Algorithm

	// KeysURL and FeedURL are where the key set and the revocation feed are, of whatever host. Empty asks the discovery
	// document, which may name URLs of the issuer's own scheme, host and port only: who can alter that one document must not
	// move what is trusted elsewhere, nor have this service ask hosts that only it can reach.
	KeysURL, FeedURL string
	// InsecureNoFeed follows no feed: a token holds until it expires, whatever becomes of its session. With KeysURL or Secret
	// there is no discovery then, for issuers that have none. Without it an issuer that names no feed is warned of, and tokens
	// with the claim "epoch", which only a Countersign server makes, are answered 503.
	InsecureNoFeed bool
	// InsecureFailOpen takes tokens whose session cannot be checked, because the feed cannot be had. The zero value answers
	// 503. See [FeedConfig].
	InsecureFailOpen bool

	// Extract says where the token stands; zero is "Authorization: Bearer".
	Extract Extractor
	// Realm is the realm of the challenge; empty leaves it out.
	Realm string
	// Leeway is by how much this clock and the server's may differ when a token's times are compared. 0 means 30 seconds; at
	// most a minute.
	Leeway time.Duration
	// Client asks the server; its redirects are not followed. Nil means one of its own.
	Client *http.Client
	// InsecureAllowHTTP takes http URLs of other hosts than this one: whoever is on the way can let anybody in.
	InsecureAllowHTTP bool
	// Logger is told when the server cannot be asked, and when it can again; and once a minute at the most when a token is
	// refused that the issuer signed: for another audience, say. Nil is [slog.Default].
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Format writes whom c trusts and for whom, whatever the verb and flags, and not the secret.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "bearer.Config{Issuer: %q, Audience: %q, …}", c.Issuer, c.Audience)
}

// Remote verifies the tokens of an issuer: a Countersign server, or another that has a discovery document. It is a
// [passport.Strategy], and [Remote.Guard] makes a guard of it. It is safe for concurrent use.
//
// Its user is what the token says: ID is "sub", Email "user.email" or else "email", Roles the list "roles", Scopes the words
// of "scope" (RFC 8693, section 4.2) or else "scp", AuthTime "auth_time", Session "sid". A claim of another form counts as
// absent, but a token without "sub", or with a "user._id" that is another, is refused.
//
// Tokens that come again are answered from a [Cache], for a minute, as long as their key is in the key set and their session
// has not ended. A request waits for the server only when it is the first of all, for ten seconds at most, or names a key
// that nobody knows yet; see [jwk.Remote]. While the server cannot be asked, the last keys serve for 24 hours, and what the
// feed has said for 30 seconds; then the answer is 503, never 401.
type Remote struct {
	issuer   *issuer
	strategy *Strategy[*passport.Principal]
	guard    *passport.Guard[*passport.Principal]
	stop     context.CancelFunc
	running  sync.WaitGroup
	idle     func() // closes the connections of a client of its own
}

// New returns a Remote, and begins to ask the server in the background. That the server is away is no error; a Config that
// cannot work is. Close it when done.
func New(cfg Config) (*Remote, error) {
	r, err := newRemote(cfg)
	if err != nil {
		return nil, fmt.Errorf("bearer: New: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.running.Go(func() { r.issuer.run(ctx) })
	return r, nil
}

func newRemote(cfg Config) (*Remote, error) {
	r := &Remote{idle: func() {}}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if cfg.Client == nil {
		cfg.Client = fetch.NewClient()
		r.idle = cfg.Client.CloseIdleConnections
	}
	var err error
	if r.issuer, err = newIssuer(cfg); err != nil {
		return nil, err
	}
	verifier, err := jwt.NewVerifier(r.issuer, jwt.Expect{
		Issuer: cfg.Issuer, Audience: cfg.Audience, Type: cfg.Types, Leeway: cfg.Leeway, Now: cfg.Now,
	})
	if err != nil {
		return nil, err
	}
	live := func(tok *jwt.Token, _ *passport.Principal) bool { return r.issuer.holds(tok.Key) }
	cache, err := NewCache(&witness{Verifier: verifier, cfg: cfg}, principalOf, CacheConfig[*passport.Principal]{Live: live, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	r.strategy, err = NewCached(cache, Options{Extract: cfg.Extract, Realm: cfg.Realm, Revocations: r.issuer})
	if err != nil {
		return nil, err
	}
	reg, err := passport.NewRegistry(passport.Named[*passport.Principal]{Name: "bearer", Strategy: r})
	if err != nil {
		return nil, err
	}
	r.guard, err = reg.Any(passport.Options[*passport.Principal]{Realm: cfg.Realm, Logger: cfg.Logger, Now: cfg.Now}, "bearer")
	return r, err
}

func (c *Config) complete() error {
	if len(c.Types) == 0 {
		c.Types = []string{"at+jwt"}
		if c.Secret != nil {
			c.Types = []string{"JWT", "at+jwt", ""}
		}
	}
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Leeway == 0 {
		c.Leeway = defaultLeeway
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Issuer == "":
		return errors.New("Config.Issuer must be set")
	case c.Audience == "":
		return errors.New("Config.Audience must be set")
	case c.Secret != nil && (c.KeysURL != "" || c.Algorithm != ""):
		return errors.New("Config.Secret contradicts KeysURL and Algorithm")
	case c.InsecureNoFeed && (c.FeedURL != "" || c.InsecureFailOpen):
		return errors.New("Config.InsecureNoFeed contradicts FeedURL and InsecureFailOpen")
	}
	return nil
}

// Authenticate implements [passport.Strategy], as [Strategy.Authenticate] does. Its info is the *jwt.Token.
func (r *Remote) Authenticate(req *http.Request) (passport.Outcome[*passport.Principal], error) {
	return r.strategy.Authenticate(req)
}

// Guard returns a guard that lets requests with a good token through, and answers all others. [passport.Guard.Require] adds
// what the user must be allowed.
func (r *Remote) Guard() *passport.Guard[*passport.Principal] { return r.guard }

// Close ends what happens in the background, and waits for it. Requests are then answered from what is known, until that is
// too old. It may be called more than once.
func (r *Remote) Close() {
	r.stop()
	r.running.Wait()
	r.idle()
}
