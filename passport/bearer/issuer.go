package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/fetch"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// firstWait bounds how long a request waits for what must be known before the first one can be answered: twice as long as
// one answer may take, for the keys are asked for when it is known where they are.
const firstWait = 2 * fetch.DefaultTimeout

// maxRetry is the longest pause between two attempts to find the issuer's documents.
const maxRetry = 10 * time.Second

// issuer is what is known of an issuer: its keys, as a [jwt.KeySet], and which sessions have ended, as [Revocations].
type issuer struct {
	cfg       Config
	secret    jwt.KeySet    // nil when the keys are to be fetched
	feedKeys  jwt.KeySet    // with a secret
	discovery *fetch.Source // nil when there is nothing to find

	begun  chan struct{} // closed when the first attempt has ended, however
	isOver atomic.Bool   // whether it has
	known  atomic.Pointer[knownIssuer]
	err    atomic.Pointer[error] // why there is none
}

// knownIssuer is an issuer whose documents were found. It does not change.
type knownIssuer struct {
	keys   jwt.KeySet
	remote *jwk.Remote // nil with a secret
	feed   *Feed       // nil for none
}

func newIssuer(cfg Config) (*issuer, error) {
	i := &issuer{cfg: cfg, begun: make(chan struct{})}
	if cfg.Secret != nil {
		if err := i.share(cfg.Secret); err != nil {
			return nil, err
		}
	}
	place := i.place()
	if place.complete(cfg) { // then making them shows whether the URLs are good
		_, err := i.open(place)
		return i, err
	}
	if cfg.KeysURL != "" {
		if err := fetch.CheckURL(cfg.KeysURL, cfg.InsecureAllowHTTP); err != nil {
			return nil, fmt.Errorf("KeysURL: %w", err)
		}
	}
	if cfg.FeedURL != "" {
		if err := fetch.CheckURL(cfg.FeedURL, cfg.InsecureAllowHTTP); err != nil {
			return nil, fmt.Errorf("FeedURL: %w", err)
		}
	}
	var err error
	if i.discovery, err = newDiscovery(cfg); err != nil {
		return nil, fmt.Errorf("Config.Issuer: %w", err)
	}
	return i, nil
}

// share makes the keys of a shared secret.
func (i *issuer) share(secret []byte) error {
	key, err := jwt.NewSecretKey(jwt.HS256, secret, jwt.KeyOptions{})
	if err != nil {
		return err
	}
	i.secret = jwt.StaticKeys{key}
	i.feedKeys, err = FeedKeys(secret)
	return err
}

// open makes what follows the documents at that place. It asks nobody.
func (i *issuer) open(p place) (*knownIssuer, error) {
	k := &knownIssuer{keys: i.secret}
	feedKeys := i.feedKeys
	if i.secret == nil {
		remote, err := jwk.NewRemote(p.keys, jwk.RemoteConfig{
			Algorithm: i.cfg.Algorithm, Client: i.cfg.Client, InsecureAllowHTTP: i.cfg.InsecureAllowHTTP, Logger: i.cfg.Logger, Now: i.cfg.Now,
		})
		if err != nil {
			return nil, err
		}
		k.keys, k.remote, feedKeys = remote, remote, remote
	}
	if p.feed == "" {
		return k, nil
	}
	var err error
	k.feed, err = NewFeed(p.feed, feedKeys, FeedConfig{
		Issuer: i.cfg.Issuer, InsecureFailOpen: i.cfg.InsecureFailOpen, Client: i.cfg.Client,
		InsecureAllowHTTP: i.cfg.InsecureAllowHTTP, Logger: i.cfg.Logger, Now: i.cfg.Now,
	})
	return k, err
}

// run finds the documents, and follows them until ctx ends.
func (i *issuer) run(ctx context.Context) {
	defer i.begin() // nobody waits for what will never be
	k, ok := i.find(ctx)
	if !ok {
		return
	}
	var first, running sync.WaitGroup
	if k.remote != nil {
		defer k.remote.Close()
		first.Go(func() { _ = k.remote.Refresh(ctx) }) // which has said so itself
	}
	if k.feed != nil {
		first.Go(func() { _ = k.feed.Poll(ctx) }) // Run says so
	}
	first.Wait()
	i.known.Store(k)
	i.begin()
	if k.remote != nil {
		running.Go(func() { k.remote.Run(ctx) })
	}
	if k.feed != nil {
		running.Go(func() { k.feed.Run(ctx) })
	}
	running.Wait()
}

// find asks for the discovery document until there is a good one; false when ctx ends before.
func (i *issuer) find(ctx context.Context) (*knownIssuer, bool) {
	for failures := 0; ; failures++ {
		k, err := i.locate(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, false
		case err == nil:
			if failures > 0 {
				i.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "issuer: found")
			}
			if k.feed == nil && !i.cfg.InsecureNoFeed {
				i.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "issuer: it names no revocation feed: nothing tells here which sessions have ended")
			}
			return k, true
		case failures == 0:
			i.cfg.Logger.LogAttrs(ctx, slog.LevelError, "issuer: not found: tokens are answered 503", slog.Any("error", err))
		}
		err = fmt.Errorf("bearer: discovery: %w", err)
		i.err.Store(&err)
		i.begin()
		d := min(500*time.Millisecond<<min(failures, 10), maxRetry)
		if !sleep(ctx, d-rand.N(d/5)) {
			return nil, false
		}
	}
}

func (i *issuer) locate(ctx context.Context) (*knownIssuer, error) {
	p := i.place()
	if i.discovery != nil {
		doc, err := i.discovery.Get(ctx, "")
		if err != nil {
			return nil, err
		}
		if err := p.read(doc.Body, i.cfg); err != nil {
			return nil, err
		}
	}
	return i.open(p)
}

// begin lets those go on who wait for the first attempt.
func (i *issuer) begin() {
	if i.isOver.CompareAndSwap(false, true) {
		close(i.begun)
	}
}

// Keys implements [jwt.KeySet].
func (i *issuer) Keys(ctx context.Context, h jwt.Header) ([]*jwt.Key, error) {
	if !i.isOver.Load() {
		if err := i.wait(ctx); err != nil {
			return nil, err
		}
	}
	k := i.known.Load()
	switch {
	case k != nil:
		return k.keys.Keys(ctx, h)
	case i.secret != nil:
		return i.secret.Keys(ctx, h)
	}
	if err := i.err.Load(); err != nil {
		return nil, *err
	}
	return nil, errClosed
}

var errClosed = errors.New("bearer: closed before anything was known of the issuer")

// wait waits for the first attempt.
func (i *issuer) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	select {
	case <-i.begun:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bearer: waiting for the issuer: %w", ctx.Err())
	}
}

// holds reports whether a key verifies tokens still.
func (i *issuer) holds(key *jwt.Key) bool {
	if i.secret != nil {
		return true
	}
	k := i.known.Load()
	return k != nil && k.remote.Holds(key)
}

// Check implements [Revocations], as [Feed.Check] does.
func (i *issuer) Check(token *jwt.Token) error { return i.judge(marksOf(token), token) }

func (i *issuer) judge(m marks, token *jwt.Token) error {
	k := i.known.Load()
	switch {
	case k != nil && k.feed != nil:
		return k.feed.judge(m, token)
	case i.cfg.InsecureNoFeed, i.cfg.InsecureFailOpen:
		return nil
	case k != nil && m.epoch == 0: // no server with a feed made the token
		return nil
	case m.unreadable:
		return ErrSessionEnded
	case m.session == 0 && m.epoch == 0:
		return nil
	}
	return ErrRevocationsUnavailable // nobody has said where the feed is
}
