package apikey

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/apikey"
)

// Guard lets requests with a good key through, and nothing else. [passport.Guard.Require] demands scopes of them.
func (s *Service) Guard() *passport.Guard[*passport.Principal] { return s.guard }

// Strategy knows requests by their key, for guards that know others by something else. Its info is the key's id. A key speaks for
// its owner, with its own scopes and without the owner's roles.
func (s *Service) Strategy() passport.Strategy[*passport.Principal] {
	return passport.StrategyFunc[*passport.Principal](s.authenticate)
}

func (s *Service) openGuard() (err error) {
	if s.strategy, err = apikey.New(s.load, apikey.Options{Realm: s.Realm, Now: s.Now}); err != nil {
		return err
	}
	registry, err := passport.NewRegistry(passport.Named[*passport.Principal]{Name: Method, Strategy: s.Strategy()})
	if err != nil {
		return err
	}
	s.guard, err = registry.Any(passport.Options[*passport.Principal]{
		Realm: s.Realm,
		// Fail logs a fault with the request's id, which the guard's own log would not know.
		Logger:  slog.New(slog.DiscardHandler),
		Respond: func(w http.ResponseWriter, r *http.Request, err error) { api.Fail(s.Log, w, r, err) },
		Now:     s.Now,
	}, Method)
	return err
}

// authenticate has refusals counted, as whoever sends bad keys in a flood must not fill the disk with what is told of it. That
// nobody is slowed down has its reason in the length of the secret: it cannot be guessed.
func (s *Service) authenticate(r *http.Request) (passport.Outcome[*passport.Principal], error) {
	o, err := s.strategy.Authenticate(r)
	if f, failed := o.Failure(); err == nil && failed && !f.Absent {
		refused := store.Event{Kind: Method, Reason: f.Problem.Code, Method: Method}
		if client := s.Proxies.Client(r); client.IsValid() {
			refused.Client = client.String()
		}
		s.Audit.Refused(refused)
	}
	return o, err
}

// load reads a key and its owner in one look, so that no owner who is disabled or deleted comes in by a key.
func (s *Service) load(ctx context.Context, id string) (r apikey.Record[*passport.Principal], ok bool, err error) {
	now := s.Now()
	found, err := s.Store.Candidate(ctx, Method, id, now)
	if err != nil || found.Credential.Key == "" || found.User.Disabled() {
		return r, false, err
	}
	d, err := decode(found.Credential)
	if err != nil {
		return r, false, err
	}
	return apikey.Record[*passport.Principal]{
		User: &passport.Principal{ID: found.User.ID, Email: found.User.Email, Scopes: d.Scopes, Key: id, ExpiresAt: d.ExpiresAt},
		Hash: apikey.Hash(d.Hash), ExpiresAt: d.ExpiresAt,
		Used: func() { s.use(found.Credential, d, now) },
	}, true, nil
}

const (
	// useEvery is how long after a use another one is not written.
	useEvery = time.Minute
	// maxWrites is how many uses are written at once. Beyond it they are left to the next use of the same key.
	maxWrites = 16
	// writeTimeout bounds each.
	writeTimeout = 10 * time.Second
)

// use has a use of a key written, while the request goes on. What cannot be written is no fault of the request's: somebody was
// faster, the key was revoked meanwhile, or the database is busy.
func (s *Service) use(c store.Credential, d data, now time.Time) {
	if now.Sub(d.LastUsedAt) < useEvery {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.writing[c.Key] || len(s.writing) >= maxWrites {
		return
	}
	s.writing[c.Key] = true
	d.LastUsedAt = now.UTC().Truncate(time.Second)
	c.Data, c.UpdatedAt = d.encode(), now
	s.writes.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
		defer cancel()
		_ = s.Store.UpdateCredential(ctx, c)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.writing, c.Key)
	})
}
