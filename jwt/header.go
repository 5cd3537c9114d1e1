package jwt

import (
	"bytes"
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
	members []strictjson.Member
}

// parseHeader reads a JOSE header: a strict JSON object whose known members have their types.
func parseHeader(text []byte) (joseHeader, verdict) {
	members, err := strictjson.Parse(text, headerLimits)
	if err != nil {
		return joseHeader{}, jsonVerdict(err)
	}
	h := joseHeader{members: members}
	if _, ok := strictjson.Find(members, "alg"); !ok {
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
		v, ok := strictjson.Find(members, m.name)
		if !ok {
			continue
		}
		if *m.into, ok = word(v); !ok || *m.into == "" {
			return joseHeader{}, fail(ErrMalformed, m.bad)
		}
	}
	if len(h.KeyID) > maxKeyID {
		return joseHeader{}, fail(ErrTooLarge, "kid has more than 256 bytes")
	}
	return h, pass("a JSON object without repeated names")
}

// knownHeader is the header of a token that was verified: what it is when decoded, and when read.
type knownHeader struct {
	text   string
	raw    []byte
	header joseHeader
}

// headerMemo has a header that a verifier has met lately. All tokens of one key have the same one, to the byte, so that it
// need not be decoded and read each time.
type headerMemo struct {
	known  atomic.Pointer[knownHeader]
	others atomic.Uint32
}

// find returns the known header if that is its text, else nil.
func (m *headerMemo) find(text string) *knownHeader {
	if k := m.known.Load(); k != nil && k.text == text {
		return k
	}
	return nil
}

// note makes the header of a good token the known one: the first that comes, and then one of many, so that two that come
// by turns cost nothing.
func (m *headerMemo) note(text string, raw []byte) {
	if m.known.Load() != nil && m.others.Add(1)%64 != 0 {
		return
	}
	raw = bytes.Clone(raw) // what is read from it refers to it
	if h, vd := parseHeader(raw); vd.status != Fail {
		m.known.Store(&knownHeader{strings.Clone(text), raw, h})
	}
}

// word returns the text of a string. One that stands in nearly every header needs no memory.
func word(v strictjson.Value) (string, bool) {
	for _, s := range [...]string{"HS256", "ES256", "RS256", "at+jwt", "JWT"} {
		if v.Is(s) {
			return s, true
		}
	}
	return v.Text()
}

func jsonVerdict(err error) verdict {
	switch err {
	case strictjson.ErrDepth, strictjson.ErrMembers:
		return fail(ErrTooLarge, "it "+err.Error())
	}
	return fail(ErrMalformed, "it "+err.Error())
}

func (h *joseHeader) has(name string) bool {
	_, ok := strictjson.Find(h.members, name)
	return ok
}
