package jwt

import (
	"encoding/json"
	"time"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// Token is a token that was verified. It does not change and may be used by several goroutines at once. What it says are parts
// of one copy of its claims: a string that is to outlive it by far keeps all of them, unless it is cloned.
type Token struct {
	Header Header
	// Key is the key that verified the token.
	Key *Key

	Issuer   string   // "iss", empty when absent
	Subject  string   // "sub", empty when absent
	Audience []string // "aud", a single one as a list of one
	ID       string   // "jti", empty when absent

	// The times are UTC, and zero when absent.
	ExpiresAt time.Time // "exp"
	NotBefore time.Time // "nbf"
	IssuedAt  time.Time // "iat"

	one     [1]string     // of Audience, when it is a single one
	compact func() string // a function for the reason that Key.m is one: nothing prints what is behind it
	doc     document
	room    strictjson.Room // of doc
}

// Compact returns the token as it was verified, and nothing for the zero Token. Who has it can use it: keep it out of
// logs. Printing a Token does not show it.
func (t *Token) Compact() string {
	if t.compact == nil {
		return ""
	}
	return t.compact()
}

// Payload returns a copy of the claims as they were signed, a JSON object without repeated names.
func (t *Token) Payload() []byte { return []byte(t.doc.Text()) }

// Claim returns the claim with exactly this name as JSON, and false when there is none.
func (t *Token) Claim(name string) (json.RawMessage, bool) { return t.doc.claim(name) }

// String returns the string at this path of exact member names: String("user", "_id") is claims.user._id. It
// returns false when there is nothing there, or something that is not a string.
func (t *Token) String(path ...string) (string, bool) { return t.doc.string(path) }

// Strings returns the list of strings at this path of exact member names, of roles for example. It returns false when there
// is nothing there, or something else: a single string is no list.
func (t *Token) Strings(path ...string) ([]string, bool) {
	v, ok := t.doc.at(path)
	if !ok {
		return nil, false
	}
	return v.Strings()
}

// Time returns the NumericDate (RFC 7519 section 2) at this path of exact member names, such as "auth_time", in UTC. It
// returns false when there is nothing there, or something that is not a number of seconds from 1 to 253402300799.
func (t *Token) Time(path ...string) (time.Time, bool) {
	v, ok := t.doc.at(path)
	if !ok {
		return time.Time{}, false
	}
	at, status := numericDate(v)
	return at, status == dateOK
}

// Unverified is what a token says of itself. Nobody has checked it: it may be expired, for somebody else, or
// made up. It is a type of its own so that it cannot be passed where a [Token] is asked for.
type Unverified struct {
	Header Header

	header string
	claims document
}

// DecodeUnverified takes a token apart without verifying it, for display and for tools. Never decide anything
// on what it returns; [Verifier.Verify] is for that.
//
// Limits, shape, encoding and JSON are checked as strictly as there. Signature, algorithm, critical headers and
// claims are not looked at. The errors are [*Error].
func DecodeUnverified(token string) (*Unverified, error) {
	e := evaluation{v: &Verifier{max: DefaultMaxBytes}, token: token}
	for _, c := range [...]check{checkSize, checkShape, checkEncoding, checkHeader, checkClaims} {
		if vd := c.run(&e); vd != nil {
			return nil, vd.asError(c.name)
		}
	}
	return &Unverified{
		Header: e.header.Header,
		header: e.header.text,
		claims: e.doc,
	}, nil
}

// RawHeader returns a copy of the header's JSON.
func (u *Unverified) RawHeader() []byte { return []byte(u.header) }

// Payload returns a copy of the claims' JSON.
func (u *Unverified) Payload() []byte { return []byte(u.claims.Text()) }

// Claim returns the claim with exactly this name as JSON, and false when there is none.
func (u *Unverified) Claim(name string) (json.RawMessage, bool) { return u.claims.claim(name) }

// String returns the string at this path of exact member names, as [Token.String] does.
func (u *Unverified) String(path ...string) (string, bool) { return u.claims.string(path) }

// document is a JSON object that strictjson accepted.
type document struct{ strictjson.Members }

func (d document) claim(name string) (json.RawMessage, bool) {
	v, ok := d.Find(name)
	if !ok {
		return nil, false
	}
	return json.RawMessage(v.Raw), true
}

func (d document) string(path []string) (string, bool) {
	v, _ := d.at(path) // nothing has no text
	return v.Text()
}

// at returns the value at a path of exact member names.
func (d document) at(path []string) (v strictjson.Value, ok bool) {
	for i, name := range path {
		if i == 0 {
			v, ok = d.Find(name)
		} else {
			v, ok = v.Member(name)
		}
		if !ok {
			return strictjson.Value{}, false
		}
	}
	return v, ok
}

// parseClaims reads the claims as a strict JSON object, whatever they are. See [strictjson.ParseIn] for room.
func parseClaims(room *strictjson.Room, text string) (document, *verdict) {
	members, err := strictjson.ParseIn(room, text, claimsLimits)
	if err != nil {
		return document{}, jsonVerdict(err)
	}
	return document{members}, nil
}
