package jwt

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The bounds on what [Expect] and [Claims] may ask for.
const (
	maxLeeway   = 60 * time.Second
	maxMaxBytes = 1 << 20
)

// Expect says what a token must be. The zero value of a field is the strict choice; Issuer and Audience have
// none and must be set.
type Expect struct {
	// Issuer is what "iss" must be, exactly.
	Issuer string
	// Audience must be "aud", or one of its members, exactly: it names whoever verifies.
	Audience string

	// Type lists what "typ" may be, compared exactly. An empty string in the list allows a token without it.
	// No list means {"JWT", ""}: tokens of no particular kind. Kinds with a name of their own, like "at+jwt",
	// must be asked for, so that one kind is never taken for another (RFC 8725 section 3.11).
	Type []string

	// Subject and ID are what "sub" and "jti" must be, exactly. Empty means that any value, or none, will do.
	Subject string
	ID      string

	// MaxAge refuses tokens issued longer ago than this, and those that do not say when. Zero means no limit.
	MaxAge time.Duration
	// Leeway allows for clocks that differ, in every comparison of times. Zero means none; at most a minute.
	Leeway time.Duration
	// Now is the clock. Nil means time.Now. It must be safe for concurrent use.
	Now func() time.Time
	// MaxBytes is the longest token that is looked at. Zero means [DefaultMaxBytes]; at most 1 MiB.
	MaxBytes int

	// InsecureAllowNoExpiry takes tokens without "exp", which nothing ends.
	InsecureAllowNoExpiry bool
	// InsecureAllowNoIssuer takes tokens without "iss". One that is present must still be Issuer.
	InsecureAllowNoIssuer bool
	// InsecureAllowNoAudience takes tokens without "aud". One that is present must still contain Audience.
	InsecureAllowNoAudience bool
	// InsecureAnyIssuer does not look at "iss" at all. Issuer must be empty.
	InsecureAnyIssuer bool
	// InsecureAnyAudience takes tokens that were made for somebody else. Audience must be empty.
	InsecureAnyAudience bool
	// InsecureAnyType takes tokens of every kind. Type must be empty.
	InsecureAnyType bool
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	keys    KeySet
	expect  Expect
	max     int
	headers headerMemo
}

// NewVerifier returns a verifier for tokens that a key of keys has signed and that are what expect says. It
// returns an error for keys that cannot work and for an expectation that is incomplete or contradicts itself.
func NewVerifier(keys KeySet, expect Expect) (*Verifier, error) {
	if keys == nil {
		return nil, errors.New("jwt: NewVerifier needs keys")
	}
	if s, ok := keys.(StaticKeys); ok {
		if err := s.validate(); err != nil {
			return nil, err
		}
	}
	if err := expect.validate(); err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	v := &Verifier{keys: keys, expect: expect, max: expect.MaxBytes}
	v.expect.Type = append([]string(nil), expect.Type...)
	if len(v.expect.Type) == 0 {
		v.expect.Type = []string{"JWT", ""}
	}
	if v.expect.Now == nil {
		v.expect.Now = time.Now
	}
	if v.max == 0 {
		v.max = DefaultMaxBytes
	}
	return v, nil
}

func (x *Expect) validate() error {
	switch {
	case x.Issuer == "" && !x.InsecureAnyIssuer:
		return errors.New("Expect.Issuer must be set, or InsecureAnyIssuer")
	case x.InsecureAnyIssuer && (x.Issuer != "" || x.InsecureAllowNoIssuer):
		return errors.New("Expect.InsecureAnyIssuer contradicts Issuer and InsecureAllowNoIssuer")
	case x.Audience == "" && !x.InsecureAnyAudience:
		return errors.New("Expect.Audience must be set, or InsecureAnyAudience")
	case x.InsecureAnyAudience && (x.Audience != "" || x.InsecureAllowNoAudience):
		return errors.New("Expect.InsecureAnyAudience contradicts Audience and InsecureAllowNoAudience")
	case x.InsecureAnyType && len(x.Type) > 0:
		return errors.New("Expect.InsecureAnyType contradicts Type")
	case x.Leeway < 0 || x.Leeway > maxLeeway:
		return fmt.Errorf("Expect.Leeway must be between 0 and %v", maxLeeway)
	case x.MaxAge < 0:
		return errors.New("Expect.MaxAge must not be negative")
	case x.MaxBytes < 0 || x.MaxBytes > maxMaxBytes:
		return fmt.Errorf("Expect.MaxBytes must be between 0 and %d", maxMaxBytes)
	}
	return nil
}

// Verify returns the token when every check passes, and otherwise an [*Error] for the first that failed, in the
// order that [Verifier.Explain] shows. ctx is for the [KeySet].
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	e := evaluations.Get().(*evaluation)
	defer e.release()
	e.v, e.ctx, e.token, e.now = v, ctx, token, v.expect.Now()
	for i := range allChecks {
		if vd := allChecks[i].run(e); vd != nil {
			return nil, vd.asError(allChecks[i].name)
		}
	}
	if e.known == nil {
		v.headers.note(token[:e.parts.first], *e.header)
	}
	t := &Token{
		Header: e.header.Header, Key: e.key,
		Issuer: e.iss, Subject: e.sub, Audience: e.aud, ID: e.jti,
		ExpiresAt: e.exp, NotBefore: e.nbf, IssuedAt: e.iat,
		compact: func() string { return token },
	}
	// What is in e others will use.
	t.doc = document{e.doc.CopyTo(&t.room)}
	if len(e.aud) == 1 {
		t.one[0] = e.aud[0]
		t.Audience = t.one[:]
	}
	return t, nil
}

// ValidUntil returns the time from which on v refuses a token that it has verified, for its age alone: that of "exp" or,
// if it comes before, that of [Expect].MaxAge, with the leeway. It is zero for a token that no time ends. Whoever
// remembers verified tokens forgets them then at the latest.
func (v *Verifier) ValidUntil(t *Token) time.Time {
	var until time.Time
	if !t.ExpiresAt.IsZero() {
		until = t.ExpiresAt.Add(v.expect.Leeway)
	}
	if v.expect.MaxAge == 0 {
		return until
	}
	tooOld := t.IssuedAt.Add(v.expect.MaxAge + v.expect.Leeway + 1) // the last moment is good, unlike that of "exp"
	if until.IsZero() || tooOld.Before(until) {
		return tooOld
	}
	return until
}
