package jwt

import (
	"strings"
	"sync/atomic"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// headerLimits and claimsLimits bound the two JSON texts of a token, on top of its length.
var (
	headerLimits = strictjson.Limits{Depth: 8, Members: 64}
	claimsLimits = strictjson.Limits{Depth: 16, Members: 512}
)

// joseHeader is a header that was read, with what is in it that must be refused.
type joseHeader struct {
	Header
	text     string
	critical bool   // it has "crit"
	feature  string // why a feature that it asks for is not supported; empty for none
}

// parseHeader reads a JOSE header: a strict JSON object whose known members have their types.
func parseHeader(text string) (joseHeader, *verdict) {
	members, err := strictjson.Parse(text, headerLimits)
	if err != nil {
		return joseHeader{}, jsonVerdict(err)
	}
	h := joseHeader{text: text}
	if _, ok := members.Find("alg"); !ok {
		return joseHeader{}, fail(ErrMalformed, "alg is missing")
	}
	for _, m := range []struct {
		name, bad string
		into      *string
	}{
		{"alg", "alg is not a string, or is empty", &h.Algorithm},
		{"typ", "typ is not a string, or is empty", &h.Type},
		{"kid", "kid is not a string, or is empty", &h.KeyID},
		{"cty", "cty is not a string, or is empty", &h.ContentType},
	} {
		v, ok := members.Find(m.name)
		if !ok {
			continue
		}
		if *m.into, ok = v.Text(); !ok || *m.into == "" {
			return joseHeader{}, fail(ErrMalformed, m.bad)
		}
	}
	if len(h.KeyID) > maxKeyID {
		return joseHeader{}, fail(ErrTooLarge, "kid has more than 256 bytes")
	}
	_, h.critical = members.Find("crit")
	h.feature = unsupportedFeature(members)
	return h, nil
}

// unsupportedFeature says why what a header asks for is not supported; empty when it asks for nothing.
func unsupportedFeature(header strictjson.Members) string {
	for _, f := range [...]struct{ name, why string }{
		{"b64", "b64 is present: unencoded payloads are not for tokens (RFC 7797 section 7)"},
		{"jwk", "jwk is present: a token does not bring its own key"},
		{"jku", "jku is present: a token does not say where its key is"},
		{"x5c", "x5c is present: a token does not bring its own key"},
		{"x5u", "x5u is present: a token does not say where its key is"},
		{"zip", "zip is present: compressed tokens are not supported"},
		{"enc", "enc is present: encrypted tokens are not supported"},
	} {
		if _, ok := header.Find(f.name); ok {
			return f.why
		}
	}
	return ""
}

// knownHeader is the header of a token that was verified: what it is when encoded, and when read.
type knownHeader struct {
	encoded string
	header  joseHeader
}

// headerMemo has a header that a verifier has met lately. All tokens of one key have the same one, to the byte, so that it
// need not be decoded and read each time.
type headerMemo struct {
	known  atomic.Pointer[knownHeader]
	others atomic.Uint32
}

// find returns the known header if that is its encoding, else nil.
func (m *headerMemo) find(encoded string) *knownHeader {
	if k := m.known.Load(); k != nil && k.encoded == encoded {
		return k
	}
	return nil
}

// note makes the header of a good token the known one: the first that comes, and then one of many, so that two that come
// by turns cost nothing.
func (m *headerMemo) note(encoded string, h joseHeader) {
	if m.known.Load() == nil || m.others.Add(1)%64 == 0 {
		m.known.Store(&knownHeader{strings.Clone(encoded), h})
	}
}

func jsonVerdict(err error) *verdict {
	switch err {
	case strictjson.ErrDepth, strictjson.ErrMembers, strictjson.ErrTooLong:
		return fail(ErrTooLarge, "it "+err.Error())
	}
	return fail(ErrMalformed, "it "+err.Error())
}
