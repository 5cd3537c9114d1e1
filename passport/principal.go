package passport

import (
	"slices"
	"time"
)

// Principal is who a request comes from, for programs that need no user type of their own: what a token or an API key says,
// without a question to any database.
//
// A strategy shares one between requests. Whoever changes it, or appends to its lists in place, gives what is added to other
// requests, too, now and later: copy it first.
type Principal struct {
	// ID is the "sub" of a token, or the id of an API key's owner.
	ID string
	// Email is their address; empty when it is not known.
	Email string
	// Roles are what the user may do, and Scopes what an API key may: tokens of users have no scopes, unless their issuer
	// gives some, and API keys no roles.
	Roles, Scopes []string
	// AuthTime is when the user proved who they are; zero when nobody says, and for an API key.
	AuthTime time.Time
	// ExpiresAt is when the token or key ends; zero when nobody says. What goes on for longer than one request, such as a
	// WebSocket, ends then.
	ExpiresAt time.Time
	// Session is the id of the session that a token belongs to, and Key that of an API key; empty for none.
	Session, Key string
}

// HasRole reports whether role is one of p's roles. It is for [RequireRole].
func (p *Principal) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// HasScope reports whether scope is one of p's scopes. It is for [RequireScope].
func (p *Principal) HasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

// AuthenticatedAt returns p.AuthTime. It is for [RequireFresh].
func (p *Principal) AuthenticatedAt() time.Time { return p.AuthTime }
