package jwt

import "github.com/countersign-auth/countersign/jwt/internal/strictjson"

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
