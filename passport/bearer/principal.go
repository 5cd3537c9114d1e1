package bearer

import (
	"context"
	"strings"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
)

// principalOf is the [Load] of a Remote: the user is what the token says.
func principalOf(_ context.Context, t *jwt.Token) (*passport.Principal, bool, error) {
	id, named := t.String("user", "_id")
	if t.Subject == "" || named && id != t.Subject {
		return nil, false, nil
	}
	p := &passport.Principal{ID: t.Subject, ExpiresAt: t.ExpiresAt}
	p.Roles, _ = t.Strings("roles")
	p.AuthTime, _ = t.Time("auth_time")
	if p.Email, named = t.String("user", "email"); !named {
		p.Email, _ = t.String("email")
	}
	p.Session, _ = t.String("sid")
	if scope, ok := t.String("scope"); ok {
		p.Scopes = words(scope)
	} else if scope, ok := t.String("scp"); ok {
		p.Scopes = words(scope)
	} else {
		p.Scopes, _ = t.Strings("scp")
	}
	return p, true, nil
}

// words splits a list of scopes at its spaces (RFC 6749, section 3.3), and at nothing else: an issuer that gives "read\tadmin",
// which is one word to it, has not given admin.
func words(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ' ' })
}
