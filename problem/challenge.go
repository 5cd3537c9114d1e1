package problem

import "strings"

// Challenge is one challenge of a WWW-Authenticate header (RFC 9110, section 11.6.1).
type Challenge struct {
	// Scheme is the authentication scheme, for example Bearer.
	Scheme string
	// Params are the parameters in the order in which they are sent.
	Params []Param
}

// Param is one parameter of a challenge. Its value is sent as a quoted string.
type Param struct{ Name, Value string }

// Bearer returns the challenge of RFC 6750, section 3, for a request that carried no token: it has no error code.
// An empty realm is left out.
func Bearer(realm string) Challenge { return withRealm("Bearer", realm) }

// BearerError returns the challenge of RFC 6750, section 3.1, for a request whose token was refused.
// The code is invalid_request, invalid_token or insufficient_scope.
func BearerError(realm, code, description string) Challenge {
	c := Bearer(realm)
	c.Params = append(c.Params, Param{"error", code}, Param{"error_description", description})
	return c
}

// Basic returns the challenge of RFC 7617, with charset UTF-8.
func Basic(realm string) Challenge {
	c := withRealm("Basic", realm)
	c.Params = append(c.Params, Param{"charset", "UTF-8"})
	return c
}

func withRealm(scheme, realm string) Challenge {
	c := Challenge{Scheme: scheme}
	if realm != "" {
		c.Params = append(c.Params, Param{"realm", realm})
	}
	return c
}

// String returns the challenge as it stands in the header. Bytes that a quoted string cannot carry become spaces,
// so that no value can end the header.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme)
	for i, p := range c.Params {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
		b.WriteString(p.Name)
		b.WriteString(`="`)
		writeQuoted(&b, p.Value)
		b.WriteByte('"')
	}
	return b.String()
}

func writeQuoted(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
}
