package passport

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// sessionState is the session of one request, in its context.
type sessionState struct {
	mu     sync.Mutex
	loaded bool
	key    string // of the store; empty without a session
	rec    record
}

// record is what the store keeps of a session.
type record struct {
	LoggedIn bool              `json:"in,omitempty"`
	User     string            `json:"user,omitempty"`
	Values   map[string]string `json:"values,omitempty"`
	Messages []Message         `json:"messages,omitempty"`
	ReturnTo string            `json:"return_to,omitempty"`
	Created  time.Time         `json:"created"`
	Used     time.Time         `json:"used"`
}

const (
	idBytes = 32
	idChars = 43 // of idBytes in unpadded base64url
)

func (s *Sessions[U]) load(r *http.Request) (*sessionState, error) {
	st, ok := r.Context().Value(s).(*sessionState)
	if !ok {
		return nil, ErrNoMiddleware
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.loaded {
		return st, nil
	}
	key, ok := s.requestKey(r)
	if ok {
		rec, ok, err := s.find(r.Context(), key)
		if err != nil {
			return nil, fmt.Errorf("passport: load the session: %w", err)
		}
		if ok {
			st.key, st.rec = key, rec
		}
	}
	st.loaded = true
	return st, nil
}

// find returns the living record under key and notes its use.
func (s *Sessions[U]) find(ctx context.Context, key string) (record, bool, error) {
	now := s.cfg.Now()
	data, ok, err := s.store.Load(ctx, key, now)
	if err != nil || !ok {
		return record{}, false, err
	}
	var rec record
	// A record that cannot be read, of an older version perhaps, is no session: nobody is logged in by it.
	if json.Unmarshal(data, &rec) != nil || !now.Before(s.expiry(rec)) {
		return record{}, false, s.store.Delete(ctx, key)
	}
	if now.Sub(rec.Used) < s.idle(rec)/16 {
		return rec, true, nil
	}
	// Written only now and then, so that reading a page is not a write to the store.
	rec.Used = now
	ok, err = s.update(ctx, key, rec)
	return rec, ok, err
}

func (s *Sessions[U]) idle(rec record) time.Duration {
	if rec.LoggedIn {
		return s.cfg.IdleTTL
	}
	return min(s.cfg.AnonymousTTL, s.cfg.IdleTTL)
}

func (s *Sessions[U]) expiry(rec record) time.Time {
	idle, end := rec.Used.Add(s.idle(rec)), rec.Created.Add(s.cfg.MaxTTL)
	if end.Before(idle) {
		return end
	}
	return idle
}

func (s *Sessions[U]) update(ctx context.Context, key string, rec record) (bool, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return false, err
	}
	return s.store.Update(ctx, key, data, s.expiry(rec))
}

// create stores rec as a new session and returns its id, which only the client gets to know, and its key.
func (s *Sessions[U]) create(ctx context.Context, rec record) (id, key string, stored record, err error) {
	raw := make([]byte, idBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program first
	id = base64.RawURLEncoding.EncodeToString(raw)
	key = storeKey(id)
	rec.Created = s.cfg.Now()
	rec.Used = rec.Created
	data, err := json.Marshal(rec)
	if err == nil {
		err = s.store.Create(ctx, key, data, s.expiry(rec))
	}
	if err != nil {
		return "", "", record{}, fmt.Errorf("passport: start a session: %w", err)
	}
	return id, key, rec, nil
}

// change applies fn to the record of r's session, or of a new one, and stores it. fn may run twice.
func (s *Sessions[U]) change(w http.ResponseWriter, r *http.Request, fn func(*record)) error {
	st, err := s.load(r)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.key != "" {
		rec := st.rec.clone()
		fn(&rec)
		ok, err := s.update(r.Context(), st.key, rec)
		if err != nil {
			return fmt.Errorf("passport: store the session: %w", err)
		}
		if ok {
			st.rec = rec
			return nil
		}
		// It was ended meanwhile, by a logout elsewhere perhaps: it must not come back to life.
	}
	var rec record
	fn(&rec)
	id, key, rec, err := s.create(r.Context(), rec)
	if err != nil {
		return err
	}
	st.key, st.rec = key, rec
	s.setCookie(w, id)
	return nil
}

func (rec record) clone() record {
	values := make(map[string]string, len(rec.Values)+1)
	for k, v := range rec.Values {
		values[k] = v
	}
	rec.Values = values
	rec.Messages = slices.Clone(rec.Messages)
	return rec
}

// storeKey keeps the ids themselves out of the store, so that a leaked copy of it opens no session.
func storeKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// requestKey returns the key of the session that r's cookie names. Two such cookies are none: one of them is not ours.
func (s *Sessions[U]) requestKey(r *http.Request) (string, bool) {
	cookies := r.CookiesNamed(s.cfg.CookieName)
	if len(cookies) != 1 || len(cookies[0].Value) != idChars {
		return "", false
	}
	for _, c := range []byte(cookies[0].Value) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return "", false
		}
	}
	return storeKey(cookies[0].Value), true
}

// setCookie sends the id, or removes the cookie when it is empty. It replaces what this response said before.
func (s *Sessions[U]) setCookie(w http.ResponseWriter, id string) {
	c := http.Cookie{
		Name:     s.cfg.CookieName,
		Value:    id,
		Path:     "/",
		Secure:   !s.cfg.InsecureCookie,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	if id == "" {
		c.MaxAge = -1
	}
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, s.cfg.CookieName+"=")
	})
	http.SetCookie(w, &c)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store") // no cache may hand the cookie to somebody else
	}
}
