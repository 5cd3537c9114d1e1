package forward

import (
	"hash/maphash"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// AssertionType is the typ of assertions.
const AssertionType = "assertion+jwt"

// assertionTTL is how long an assertion is good at the most. It is made anew each minute, so it is good for a minute at
// least when a server gets it, unless its token ends before.
const assertionTTL = 2 * time.Minute

// The headers that tell the server behind the proxy who sends a request.
const (
	headerID        = "X-User-Id"
	headerEmail     = "X-User-Email"
	headerRoles     = "X-User-Roles"
	headerScopes    = "X-User-Scopes"
	headerAssertion = "X-User-Assertion"
)

// introduction is what the answer says of a caller to an audience, in a minute. It does not change.
type introduction struct {
	caller   caller
	audience string
	minute   int64
	// Each is an array, so that a header needs no memory of its own.
	id, email, roles, scopes, assertion [1]string
}

// write sets every header, also the empty ones, so that a proxy puts it in place of the client's.
func (i *introduction) write(h http.Header) {
	h[headerID], h[headerEmail], h[headerRoles] = i.id[:], i.email[:], i.roles[:]
	h[headerScopes], h[headerAssertion] = i.scopes[:], i.assertion[:]
}

// writeKnown sets the headers that are not empty, for a proxy that takes a missing one for empty.
func (i *introduction) writeKnown(h http.Header) {
	for _, field := range [...]struct {
		name  string
		value []string
	}{{headerID, i.id[:]}, {headerEmail, i.email[:]}, {headerRoles, i.roles[:]}, {headerScopes, i.scopes[:]}, {headerAssertion, i.assertion[:]}} {
		if field.value[0] != "" {
			h[field.name] = field.value
		}
	}
}

// places is how many introductions are kept, and placesEach how many of them one credential can take: whoever has few
// tokens cannot put the others out, however many hosts he names.
const (
	places     = 1 << 13
	placesEach = 8
)

// introductions keeps the newest ones. A signature costs twenty times what the rest of an answer does. Each place is changed
// as a whole, so nobody waits for anybody, and what finds its place taken takes it.
type introductions struct {
	seed maphash.Seed
	kept [places]atomic.Pointer[introduction]
}

// introduce returns what to say of a caller to an audience.
func (h *Handler) introduce(who *caller, audience string) (*introduction, error) {
	now := h.Now()
	minute := now.Unix() / 60
	place := h.kept.place(who.credential, audience)
	if i := place.Load(); i != nil && i.minute == minute && i.audience == audience && i.caller.same(who) {
		return i, nil
	}
	signed, err := h.assert(who, audience, now)
	if err != nil {
		return nil, err
	}
	i := &introduction{
		caller: *who, audience: strings.Clone(audience), minute: minute,
		id: [1]string{fieldValue(who.ID)}, email: [1]string{fieldValue(who.Email)},
		roles: [1]string{fieldList(who.Roles, ",")}, scopes: [1]string{fieldList(who.Scopes, " ")},
		assertion: [1]string{signed},
	}
	i.caller.credential = strings.Clone(who.credential) // which may be a part of a long header
	place.Store(i)
	return i, nil
}

func (k *introductions) place(credential, audience string) *atomic.Pointer[introduction] {
	own := maphash.String(k.seed, credential[max(0, len(credential)-64):])
	return &k.kept[(own+maphash.String(k.seed, audience)%placesEach)%places]
}

// assert signs what the headers say.
func (h *Handler) assert(who *caller, audience string, now time.Time) (string, error) {
	expires := now.Add(assertionTTL)
	if !who.ExpiresAt.IsZero() && who.ExpiresAt.Before(expires) {
		expires = who.ExpiresAt
	}
	issued := now
	if expires.Before(issued) { // the token is taken a little longer than it is good, for other clocks
		issued = expires
	}
	extra := map[string]any{}
	if who.Email != "" {
		extra["email"] = who.Email
	}
	if len(who.Roles) > 0 {
		extra["roles"] = who.Roles
	}
	if len(who.Scopes) > 0 {
		extra["scope"] = strings.Join(who.Scopes, " ")
	}
	if who.Session != "" {
		extra["sid"] = who.Session
	}
	if !who.AuthTime.IsZero() {
		extra["auth_time"] = who.AuthTime.Unix()
	}
	return h.SignFor(AssertionType, jwt.Claims{
		Issuer: h.Issuer, Audience: []string{audience}, Subject: who.ID, IssuedAt: issued, ExpiresAt: expires, Extra: extra,
	})
}
