package bearer

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
)

// principalOf is the [Load] of a Remote: the user is what the token says.
func principalOf(_ context.Context, t *jwt.Token) (*passport.Principal, bool, error) {
	id, named := t.String("user", "_id")
	if t.Subject == "" || named && id != t.Subject {
		return nil, false, nil
	}
	p := &passport.Principal{ID: t.Subject, Roles: words(t, "roles"), AuthTime: authTime(t)}
	if p.Email, named = t.String("user", "email"); !named {
		p.Email, _ = t.String("email")
	}
	p.Session, _ = t.String("sid")
	if scope, ok := t.String("scope"); ok {
		p.Scopes = strings.Fields(scope)
	} else if scope, ok := t.String("scp"); ok {
		p.Scopes = strings.Fields(scope)
	} else {
		p.Scopes = words(t, "scp")
	}
	return p, true, nil
}

// words returns a claim that is a list of strings; nil when it is not.
func words(t *jwt.Token, claim string) []string {
	raw, ok := t.Claim(claim)
	if !ok {
		return nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// authTime returns the claim auth_time, in seconds since 1970; the zero time when nobody says.
func authTime(t *jwt.Token) time.Time {
	raw, ok := t.Claim("auth_time")
	if !ok {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
