package jwt

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// checkType compares "typ" exactly. RFC 7515 lets media types differ in case; an issuer that means the same
// kind of token writes it the same way, and two spellings are one more way to be confused.
func (e *evaluation) checkType() *verdict {
	x := &e.v.expect
	switch {
	case x.InsecureAnyType:
		return e.skip("not asked for: InsecureAnyType")
	case slices.Contains(x.Type, e.header.Type):
		return e.pass("an expected one")
	case e.header.Type == "":
		return fail(ErrType, "typ is missing").wanting(x.Type...)
	}
	return fail(ErrType, "typ is not an expected one").wanting(x.Type...)
}

// date reads a claim that is a time. The zero time and true mean that it is absent.
func (e *evaluation) date(name string, into *time.Time) (dateStatus, bool) {
	v, ok := e.doc.Find(name)
	if !ok {
		return dateOK, false
	}
	var status dateStatus
	*into, status = numericDate(v)
	return status, true
}

// checkExpiry refuses a token from the moment of "exp" on (RFC 7519 section 4.1.4).
func (e *evaluation) checkExpiry() *verdict {
	status, present := e.date("exp", &e.exp)
	switch {
	case !present && e.v.expect.InsecureAllowNoExpiry:
		return e.pass("absent, which InsecureAllowNoExpiry allows")
	case !present:
		return fail(ErrClaim, "exp is missing")
	case status == dateTooSmall:
		return fail(ErrExpired, "exp is not after 1970, so it has passed").out(e.now.Sub(time.Unix(0, 0)))
	case status != dateOK:
		return fail(ErrClaim, "exp is not a number of seconds from 1 to 253402300799")
	case !e.now.Before(e.exp.Add(e.v.expect.Leeway)):
		return fail(ErrExpired, "exp has passed").out(e.now.Sub(e.exp))
	}
	return e.pass("still ahead").out(e.exp.Sub(e.now))
}

func (e *evaluation) checkNotBefore() *verdict {
	status, present := e.date("nbf", &e.nbf)
	switch {
	case !present:
		return e.skip("absent")
	case status != dateOK:
		return fail(ErrClaim, "nbf is not a number of seconds from 1 to 253402300799")
	case e.nbf.After(e.now.Add(e.v.expect.Leeway)):
		return fail(ErrNotYetValid, "nbf is still ahead").out(e.nbf.Sub(e.now))
	}
	return e.pass("has come")
}

func (e *evaluation) checkIssuedAt() *verdict {
	status, present := e.date("iat", &e.iat)
	switch {
	case !present:
		return e.skip("absent")
	case status != dateOK:
		return fail(ErrClaim, "iat is not a number of seconds from 1 to 253402300799")
	case e.iat.After(e.now.Add(e.v.expect.Leeway)):
		return fail(ErrIssuedInFuture, "iat is still ahead").out(e.iat.Sub(e.now))
	}
	return e.pass("is past")
}

// checkAge comes after checkIssuedAt and uses the time that it read.
func (e *evaluation) checkAge() *verdict {
	x := &e.v.expect
	switch {
	case x.MaxAge == 0:
		return e.skip("not asked for: no MaxAge")
	case e.iat.IsZero():
		return fail(ErrClaim, "the age is unknown without a good iat")
	}
	if over := e.now.Sub(e.iat) - x.MaxAge; over > x.Leeway {
		return fail(ErrTooOld, "the token is over the age allowed").out(over)
	}
	return e.pass("young enough")
}

func (e *evaluation) checkIssuer() *verdict {
	x := &e.v.expect
	present, ok := e.text("iss", &e.iss)
	switch {
	case !ok:
		return fail(ErrClaim, "iss is not a string, or is empty, or has a NUL")
	case x.InsecureAnyIssuer:
		return e.skip("not asked for: InsecureAnyIssuer")
	case !present && x.InsecureAllowNoIssuer:
		return e.pass("absent, which InsecureAllowNoIssuer allows")
	case !present:
		return fail(ErrIssuer, "iss is missing").wanting(x.Issuer)
	case e.iss != x.Issuer:
		return fail(ErrIssuer, "iss is another").wanting(x.Issuer)
	}
	return e.pass("the expected one")
}

func (e *evaluation) checkAudience() *verdict {
	x := &e.v.expect
	v, present := e.doc.Find("aud")
	if present {
		var ok bool
		if e.aud, ok = e.audience(v); !ok {
			return fail(ErrClaim, "aud is neither a string nor a list of strings, or one is empty or has a NUL")
		}
	}
	switch {
	case x.InsecureAnyAudience:
		return e.skip("not asked for: InsecureAnyAudience")
	case !present && x.InsecureAllowNoAudience:
		return e.pass("absent, which InsecureAllowNoAudience allows")
	case !present:
		return fail(ErrAudience, "aud is missing").wanting(x.Audience)
	case !slices.Contains(e.aud, x.Audience):
		return fail(ErrAudience, "aud names others only").wanting(x.Audience)
	}
	return e.pass("names the expected one")
}

func (e *evaluation) checkSubject() *verdict {
	present, ok := e.text("sub", &e.sub)
	if !ok {
		return fail(ErrClaim, "sub is not a string, or is empty, or has a NUL")
	}
	return e.same("sub", e.sub, e.v.expect.Subject, present, ErrSubject)
}

func (e *evaluation) checkID() *verdict {
	present, ok := e.text("jti", &e.jti)
	if !ok {
		return fail(ErrClaim, "jti is not a string, or is empty, or has a NUL")
	}
	return e.same("jti", e.jti, e.v.expect.ID, present, ErrClaim)
}

// same is for a claim that need not be there, nor be anything particular, unless the caller wants it.
func (e *evaluation) same(name, is, want string, present bool, kind error) *verdict {
	switch {
	case want == "" && present:
		return e.pass("a string; no particular one is asked for")
	case want == "":
		return e.skip("absent, and not asked for")
	case !present:
		return fail(kind, name+" is missing").wanting(want)
	case is != want:
		return fail(kind, name+" is another").wanting(want)
	}
	return e.pass("the expected one")
}

// text reads a claim that names somebody. ok is false when it is there and malformed.
func (e *evaluation) text(name string, into *string) (present, ok bool) {
	v, present := e.doc.Find(name)
	if !present {
		return false, true
	}
	*into, ok = identifier(v)
	return true, ok
}

// identifier is a string that names somebody.
func identifier(v strictjson.Value) (string, bool) {
	s, ok := v.Text()
	return s, ok && isName(s)
}

// isName refuses a NUL, which would let two names become one where something behind us ends strings there.
func isName(s string) bool { return s != "" && strings.IndexByte(s, 0) < 0 }

// audience returns who is named. A single one is in e.
func (e *evaluation) audience(v strictjson.Value) (aud []string, ok bool) {
	if v.Kind == strictjson.String {
		e.one[0], ok = identifier(v)
		return e.one[:], ok
	}
	aud, ok = v.Strings()
	return aud, ok && !slices.ContainsFunc(aud, func(s string) bool { return !isName(s) })
}
