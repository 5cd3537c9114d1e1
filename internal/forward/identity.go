package forward

import (
	"net/http"
	"slices"
	"strings"

	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/apikey"
	"github.com/countersign-auth/countersign/problem"
)

// caller is who sends a request, and by what.
type caller struct {
	passport.Principal
	// credential is the token, or the id of the API key.
	credential string
	// cookie says that a browser sent the credential by itself.
	cookie bool
}

// carried says what credentials a request has.
type carried struct {
	bearer, key, cookie bool
	// keyed says that the one that stands in place of a token is an API key.
	keyed bool
}

// byHand reports whether there are credentials that no browser sends by itself.
func (c carried) byHand() bool { return c.bearer || c.key }

func (h *Handler) carried(r *http.Request) (c carried) {
	for _, line := range r.Header["Authorization"] {
		scheme, text, _ := strings.Cut(line, " ")
		if strings.EqualFold(scheme, "Bearer") {
			c.bearer = true
			c.keyed = c.keyed || strings.HasPrefix(strings.TrimLeft(text, " "), apikey.Prefix)
		}
	}
	c.key = h.Keys != nil && slices.ContainsFunc(r.Header["X-Api-Key"], func(line string) bool { return line != "" })
	c.cookie = h.Cookies.Carried(r)
	return c
}

// identify returns who sends r, nil without credentials. The error is the answer to those that are refused, or a fault.
func (h *Handler) identify(r *http.Request, c carried) (*caller, error) {
	switch {
	case c.bearer && (c.cookie || c.key), c.cookie && c.key:
		return nil, errSeveral
	case !c.bearer && !c.cookie && !c.key:
		return nil, nil
	case h.Keys != nil && (c.key || c.keyed):
		user, _, err := ask(h.Keys, r)
		if err != nil {
			return nil, err
		}
		return &caller{Principal: *user, credential: user.Key}, nil
	}
	holder, info, err := ask(h.Tokens, r)
	if err != nil {
		return nil, err
	}
	who := &caller{Principal: principal(holder), cookie: c.cookie}
	if t, ok := info.(*jwt.Token); ok {
		who.credential, who.ExpiresAt = t.Compact(), t.ExpiresAt
	}
	return who, nil
}

// ask returns whom a strategy knows the request to come from.
func ask[U any](s passport.Strategy[U], r *http.Request) (user U, info any, err error) {
	o, err := s.Authenticate(r)
	if err != nil {
		return user, nil, err
	}
	user, ok := o.User()
	if !ok {
		f, _ := o.Failure()
		if f.Problem == nil {
			return user, nil, problem.New(http.StatusUnauthorized, "unauthorized", "This needs a token.")
		}
		return user, nil, f.Problem
	}
	return user, o.Info(), nil
}

func principal(holder *token.Holder) passport.Principal {
	return passport.Principal{
		ID: holder.ID, Email: holder.Email, Roles: holder.Roles, Session: holder.Session, AuthTime: holder.AuthAt,
	}
}

// same reports whether two callers are told about in the same words.
func (c *caller) same(other *caller) bool {
	return c.credential == other.credential && c.ID == other.ID && c.Email == other.Email &&
		slices.Equal(c.Roles, other.Roles) && slices.Equal(c.Scopes, other.Scopes)
}

// fieldValue returns a value as it can stand in a header and be told from every other one: percent-encoded, if it has
// anything but visible ASCII, a comma, or a percent sign. Ids of imported users may have.
func fieldValue(s string) string {
	if !strings.ContainsFunc(s, isOdd) {
		return s
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isOdd(rune(c)) {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isOdd(r rune) bool { return r <= ' ' || r >= 0x7f || r == ',' || r == '%' }

// fieldList joins values as fieldValue returns them.
func fieldList(values []string, separator string) string {
	if len(values) == 0 {
		return ""
	}
	fields := make([]string, len(values))
	for i, v := range values {
		fields[i] = fieldValue(v)
	}
	return strings.Join(fields, separator)
}
