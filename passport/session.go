package passport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// SessionConfig configures [NewSessions]. Serialize and Deserialize are required; all other zero fields are defaults.
type SessionConfig[U any] struct {
	// Serialize returns the string by which Deserialize finds the user again, its id for example. It is valid UTF-8
	// and not empty.
	Serialize func(ctx context.Context, user U) (string, error)
	// Deserialize returns the user of an id. False means that there is none any more: the session then ends. An error is
	// a technical fault.
	Deserialize func(ctx context.Context, id string) (U, bool, error)

	// CookieName is by default "__Host-session", which browsers accept only over https and only from this very host. With
	// InsecureCookie the default is "session".
	CookieName string
	// InsecureCookie sends the cookie over plain http, too. It is for development on http://localhost.
	InsecureCookie bool
	// IdleTTL ends a session that was not used for so long; 12 hours by default.
	IdleTTL time.Duration
	// MaxTTL ends a session this long after the login, used or not; 7 days by default.
	MaxTTL time.Duration
	// AnonymousTTL is the IdleTTL of a session in which nobody is logged in; 1 hour by default. Strangers can make such
	// sessions as they like, so they are short.
	AnonymousTTL time.Duration
	// Keep names the values that survive login and logout. All others are dropped, so that what was stored before a login
	// is not trusted after it.
	Keep []string
	// Now is the clock; nil is [time.Now].
	Now func() time.Time
}

// Sessions keeps users logged in by a cookie. Login and logout always change the session's id, and the old id is dead
// at once (session fixation, CVE-2022-25896). Ids are 256 random bits; the store is given only their hash.
//
// The cookie is HttpOnly, Secure and SameSite=Lax. Lax keeps it out of cross-site POSTs, but put
// [http.CrossOriginProtection] before the handlers as well: it also stops a login that another site submits.
//
// Every change is stored at once, so a handler must make it before it writes the response. Sessions may be used by many
// goroutines. Of two requests that change values of one session at the same moment the last one wins; who is logged in
// never changes under an id.
type Sessions[U any] struct {
	store SessionStore
	cfg   SessionConfig[U]
}

// NewSessions returns sessions kept in store.
func NewSessions[U any](store SessionStore, cfg SessionConfig[U]) (*Sessions[U], error) {
	if isNil(store) || cfg.Serialize == nil || cfg.Deserialize == nil {
		return nil, errors.New("passport: sessions need a store, Serialize and Deserialize")
	}
	if cfg.CookieName == "" {
		cfg.CookieName = "__Host-session"
		if cfg.InsecureCookie {
			cfg.CookieName = "session"
		}
	}
	if !isToken(cfg.CookieName) {
		return nil, fmt.Errorf("passport: cookie name %q is not a token", cfg.CookieName)
	}
	if lower := strings.ToLower(cfg.CookieName); cfg.InsecureCookie && (strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-")) {
		return nil, fmt.Errorf("passport: browsers drop the cookie %q when it is not Secure", cfg.CookieName)
	}
	for _, d := range []struct {
		ttl *time.Duration
		def time.Duration
	}{{&cfg.IdleTTL, 12 * time.Hour}, {&cfg.MaxTTL, 7 * 24 * time.Hour}, {&cfg.AnonymousTTL, time.Hour}} {
		if *d.ttl < 0 {
			return nil, errors.New("passport: a session cannot live for a negative time")
		}
		if *d.ttl == 0 {
			*d.ttl = d.def
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Keep = append([]string(nil), cfg.Keep...)
	return &Sessions[U]{store: store, cfg: cfg}, nil
}

// ErrNoMiddleware is returned by the methods of [Sessions] for a request that did not come through Middleware.
var ErrNoMiddleware = errors.New("passport: the request did not come through Sessions.Middleware")

// Sessions are stored as JSON, which would make one text of two that are not UTF-8: of two user ids, too.
var errNotUTF8 = errors.New("passport: a user id or a value for the session is not UTF-8")

// Middleware makes the session of a request known to the guards and handlers behind it. The store is asked only once
// something wants to know.
func (s *Sessions[U]) Middleware(next http.Handler) http.Handler {
	if next == nil {
		panic("passport: nil handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), s, &sessionState{})))
	})
}

// Login starts a new session for user and ends the one that the request came with. The values named in Keep go along,
// and, unless another user was logged in, so do the messages and the path to return to. After an error nobody is logged
// in who was not before.
//
// The identity in r's context stays as it was; a guard with [Options].Login sets both.
func (s *Sessions[U]) Login(w http.ResponseWriter, r *http.Request, user U) error {
	id, err := s.cfg.Serialize(r.Context(), user)
	if err != nil {
		return fmt.Errorf("passport: serialize the user: %w", err)
	}
	if id == "" { // all users whose id is not set yet would be one
		return errors.New("passport: serialize the user: the id is empty")
	}
	if !utf8.ValidString(id) {
		return errNotUTF8
	}
	st, err := s.load(r)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	old := st.rec
	rec := record{LoggedIn: true, User: id, Values: s.kept(old.Values)}
	if !old.LoggedIn || old.User == id {
		rec.Messages, rec.ReturnTo = old.Messages, old.ReturnTo
	}
	return s.replace(w, r, st, rec)
}

// Logout ends the session that the request came with. The values named in Keep go on in a new one, in which nobody is
// logged in; when there are none, the cookie is removed. Without a session it does nothing. After an error the cookie
// may be dead or alive, but nobody is logged in by a new one. [UserFrom] goes on to say who sent this request.
func (s *Sessions[U]) Logout(w http.ResponseWriter, r *http.Request) error {
	st, err := s.load(r)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	kept := s.kept(st.rec.Values)
	if len(kept) > 0 {
		return s.replace(w, r, st, record{Values: kept})
	}
	if st.key != "" {
		if err := s.store.Delete(r.Context(), st.key); err != nil {
			return fmt.Errorf("passport: end the session: %w", err)
		}
	}
	st.key, st.rec = "", record{}
	if _, sent := r.Header["Cookie"]; sent || w.Header().Get("Set-Cookie") != "" {
		s.setCookie(w, "")
	}
	return nil
}

// replace ends the session of st and starts one with rec under a new id. It leaves things as they were when it fails.
func (s *Sessions[U]) replace(w http.ResponseWriter, r *http.Request, st *sessionState, rec record) error {
	old := st.key
	id, key, rec, err := s.create(r.Context(), rec)
	if err != nil {
		return err
	}
	if old != "" {
		if err := s.store.Delete(r.Context(), old); err != nil {
			// Both ids alive would be the very hole that a new id closes.
			_ = s.store.Delete(context.WithoutCancel(r.Context()), key)
			return fmt.Errorf("passport: end the old session: %w", err)
		}
	}
	st.key, st.rec = key, rec
	s.setCookie(w, id)
	return nil
}

func (s *Sessions[U]) kept(values map[string]string) map[string]string {
	var kept map[string]string
	for _, name := range s.cfg.Keep {
		if v, ok := values[name]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = v
		}
	}
	return kept
}

// User returns the user who is logged in, as Deserialize knows it now. When the user is gone, the session ends.
func (s *Sessions[U]) User(r *http.Request) (U, bool, error) {
	var none U
	st, err := s.load(r)
	if err != nil {
		return none, false, err
	}
	st.mu.Lock()
	rec, key := st.rec, st.key
	st.mu.Unlock()
	if !rec.LoggedIn {
		return none, false, nil
	}
	user, ok, err := s.cfg.Deserialize(r.Context(), rec.User)
	if err != nil {
		return none, false, fmt.Errorf("passport: deserialize the user: %w", err)
	}
	if ok {
		return user, true, nil
	}
	if err := s.store.Delete(r.Context(), key); err != nil {
		return none, false, fmt.Errorf("passport: end the session: %w", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.key == key {
		st.key, st.rec = "", record{}
	}
	return none, false, nil
}

// Strategy returns the strategy that finds the user of a session; it is usually registered as "session". Without a
// session it passes.
func (s *Sessions[U]) Strategy() Strategy[U] { return &sessionStrategy[U]{s} }

type sessionStrategy[U any] struct{ sessions *Sessions[U] }

func (s *sessionStrategy[U]) Authenticate(r *http.Request) (Outcome[U], error) {
	user, ok, err := s.sessions.User(r)
	if err != nil {
		return Outcome[U]{}, err
	}
	if !ok {
		return Pass[U](), nil
	}
	return Success(user, nil), nil
}
