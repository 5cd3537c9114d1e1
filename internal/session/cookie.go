package session

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/problem"
)

// Cookies carries the tokens of a session in a browser. The zero value keeps them to one host: the prefix __Host- makes
// browsers take them only over TLS (or from this machine), from this very host, for all of it (RFC 6265bis, section 4.1.3.2).
type Cookies struct {
	// Domain, when not empty, has browsers send the cookies to every host below it. Their prefix is __Secure- then, which
	// keeps TLS alone: each of these hosts is given the tokens, and can set others.
	Domain string
}

func (c Cookies) name(which string) string {
	if c.Domain != "" {
		return "__Secure-countersign-" + which
	}
	return "__Host-countersign-" + which
}

func (c Cookies) access() string  { return c.name("token") }
func (c Cookies) refresh() string { return c.name("refresh") }

// The ways in which a client may have its tokens, as the field session of a login names them.
const (
	inBody   = "token"
	inCookie = "cookie"
)

// Wish is what a login may ask for beside what proves it.
type Wish struct {
	// Session says how the tokens are to come; empty means in the body.
	Session string `json:"session,omitempty" enum:"token,cookie" doc:"How the tokens come: token, in the answer, or cookie, in cookies that no script can read, and not in the answer"`
	// Remember keeps the session when the browser is closed; nil means true.
	Remember *api.Flag `json:"remember,omitempty" doc:"False ends the session after a day, and with the browser"`
}

// Check returns a [problem.Error] if there is no such wish.
func (w Wish) Check() error {
	switch w.Session {
	case "", inBody, inCookie:
		return nil
	}
	return problem.New(http.StatusBadRequest, "invalid_fields", "A field is not as it must be.").
		WithFields(problem.Field{Name: "session", Code: "unknown", Detail: "This field must be token or cookie."})
}

// Brief reports whether the session is not to be remembered.
func (w Wish) Brief() bool { return w.Remember != nil && !bool(*w.Remember) }

// InCookie reports whether the tokens are to come in cookies.
func (w Wish) InCookie() bool { return w.Session == inCookie }

// Answer is what a client gets at a login and at a refresh. In a browser session the tokens are in cookies alone.
type Answer struct {
	Token            string `json:"token,omitempty" doc:"A JWT for Authorization: Bearer; not there in a browser session"`
	TokenType        string `json:"token_type,omitempty" enum:"Bearer"`
	ExpiresIn        int    `json:"expires_in" doc:"Seconds until the token expires"`
	RefreshToken     string `json:"refresh_token,omitempty" doc:"Buys the next tokens at /token/refresh, and is then replaced; not there in a browser session"`
	RefreshExpiresIn int    `json:"refresh_expires_in" doc:"Seconds until the session ends if it is not refreshed"`
}

// deliver returns the answer, and sets the cookies if the tokens are to be there.
func (c Cookies) deliver(w http.ResponseWriter, t Tokens, inCookie bool) Answer {
	a := Answer{ExpiresIn: seconds(t.Access.TTL), RefreshExpiresIn: seconds(t.RefreshTTL)}
	if !inCookie {
		a.Token, a.TokenType, a.RefreshToken = t.Access.Token, "Bearer", t.Refresh
		return a
	}
	access, refresh := a.ExpiresIn, a.RefreshExpiresIn
	if t.Brief { // gone when the browser is closed
		access, refresh = 0, 0
	}
	c.set(w, c.access(), t.Access.Token, access)
	c.set(w, c.refresh(), t.Refresh, refresh)
	return a
}

// Begin answers a login, with the tokens in cookies if they are to be there, and ends the session that the browser was in, whose cookies go: nobody would have
// its tokens any more, and it would push others out of [Limits].PerUser.
func (s *Service) Begin(w http.ResponseWriter, r *http.Request, t Tokens, cookie bool, client Client) Answer {
	if before := r.CookiesNamed(s.Cookies.refresh()); len(before) == 1 {
		ctx, cancel := Lasting(r)
		defer cancel()
		user, id, err := s.Whose(ctx, before[0].Value, client)
		if err == nil {
			err = s.End(ctx, user, store.Which{Only: id})
		}
		if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, store.ErrNotFound) {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "the session that a browser was in before goes on", slog.Any("error", err))
		}
	}
	if !cookie {
		s.Cookies.Clear(w, r)
	}
	return s.Cookies.deliver(w, t, cookie)
}

func seconds(d time.Duration) int { return int(d.Seconds()) }

// set sets a cookie for so many seconds; 0 means until the browser is closed, and less that it is to be deleted.
func (c Cookies) set(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", Domain: c.Domain, MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// Clear deletes the cookies of a session from a browser that has them.
func (c Cookies) Clear(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{c.access(), c.refresh()} {
		if len(r.CookiesNamed(name)) > 0 {
			c.set(w, name, "", -1)
		}
	}
}

// Carried reports whether the access token of a request that a Guard has let through came in a cookie: where it did,
// there was no other.
func (c Cookies) Carried(r *http.Request) bool {
	return len(r.Header["Cookie"]) > 0 && len(r.CookiesNamed(c.access())) > 0
}
