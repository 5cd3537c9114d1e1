package jwt

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Claims is what a token to be signed says. Empty fields are left out.
type Claims struct {
	Issuer   string   // "iss"
	Subject  string   // "sub"
	Audience []string // "aud": one is written as a string, several as a list
	ID       string   // "jti"

	// ExpiresAt is "exp" and must be set, unless InsecureNoExpiry says that the token never ends. Times are
	// written as whole seconds, rounded down, from the years 1970 to 9999.
	ExpiresAt time.Time
	NotBefore time.Time // "nbf"
	IssuedAt  time.Time // "iat"

	// Extra holds all other claims, as encoding/json writes them. It must not name a registered claim in any
	// case, and no string in it may be invalid UTF-8.
	Extra map[string]any

	// MaxBytes is the longest token that [Sign] makes of these claims. Zero means [DefaultMaxBytes]; at most 1 MiB. It is
	// for documents that travel in a body; whoever verifies one must allow as much in [Expect].
	MaxBytes int

	// InsecureNoExpiry makes a token without "exp": nothing ends it but a change of keys.
	InsecureNoExpiry bool
}

// Sign returns claims as a token, signed with key under its one algorithm, with its ID as "kid" when it has
// one. typ is the "typ" header, such as "JWT" or "at+jwt"; empty leaves it out.
//
// It refuses a key that cannot sign ([ErrKey]), claims that no verifier here would read back the same
// ([ErrClaim]) and a token that is longer than allowed ([ErrTooLarge]).
func Sign(key *Key, typ string, c Claims) (string, error) {
	if key == nil || !key.CanSign() {
		return "", keyErrorf("the key cannot sign")
	}
	if c.MaxBytes < 0 || c.MaxBytes > maxMaxBytes {
		return "", claimErrorf("MaxBytes must be between 0 and %d", maxMaxBytes)
	}
	payload, err := c.marshal()
	if err != nil {
		return "", err
	}
	header, err := marshalHeader(key, typ)
	if err != nil {
		return "", err
	}
	token, err := signJWS(key, header, payload)
	if err != nil {
		return "", fmt.Errorf("jwt: %w", err)
	}
	most := c.MaxBytes
	if most == 0 {
		most = DefaultMaxBytes
	}
	if len(token) > most {
		return "", fmt.Errorf("jwt: %w: it would have %d bytes, at most %d are allowed", ErrTooLarge, len(token), most)
	}
	return token, nil
}

func marshalHeader(key *Key, typ string) (header []byte, err error) {
	if !utf8.ValidString(typ) {
		return nil, claimErrorf("typ is not valid UTF-8")
	}
	header = append(make([]byte, 0, 128), `{"alg":"`...)
	header = append(append(header, key.alg...), '"')
	for _, m := range [...]struct{ before, text string }{{`,"typ":`, typ}, {`,"kid":`, key.id}} {
		if m.text == "" {
			continue
		}
		if header, err = appendText(append(header, m.before...), m.text); err != nil {
			return nil, err
		}
	}
	return append(header, '}'), nil
}

// marshal writes the claims and reads them again the way a verifier will.
func (c *Claims) marshal() ([]byte, error) {
	if c.ExpiresAt.IsZero() != c.InsecureNoExpiry {
		return nil, claimErrorf("set either ExpiresAt or InsecureNoExpiry")
	}
	all := make([]member, 0, 7+len(c.Extra))
	for name, value := range c.Extra {
		if isRegistered(name) {
			return nil, claimErrorf("Extra names the registered claim %q", name)
		}
		all = append(all, member{name, value})
	}
	all, err := c.names(all)
	if err != nil {
		return nil, err
	}
	if all, err = c.times(all); err != nil {
		return nil, err
	}
	payload, err := appendObject(make([]byte, 0, 512), all)
	if err != nil {
		return nil, err
	}
	if _, vd := parseClaims(nil, string(payload)); vd != nil {
		return nil, claimErrorf("the claims cannot be written: %s", strings.TrimPrefix(vd.text, "it "))
	}
	return payload, nil
}

func (c *Claims) names(all []member) ([]member, error) {
	for _, n := range []struct{ name, value string }{{"iss", c.Issuer}, {"sub", c.Subject}, {"jti", c.ID}} {
		if n.value == "" {
			continue
		}
		if !isIdentifier(n.value) {
			return nil, claimErrorf("%s is not valid UTF-8, or has a NUL", n.name)
		}
		all = append(all, member{n.name, n.value})
	}
	for _, aud := range c.Audience {
		if aud == "" || !isIdentifier(aud) {
			return nil, claimErrorf("aud has an empty string, invalid UTF-8 or a NUL")
		}
	}
	switch len(c.Audience) {
	case 0:
	case 1:
		all = append(all, member{"aud", c.Audience[0]})
	default:
		all = append(all, member{"aud", c.Audience})
	}
	return all, nil
}

func (c *Claims) times(all []member) ([]member, error) {
	for _, t := range []struct {
		name  string
		value time.Time
	}{{"exp", c.ExpiresAt}, {"nbf", c.NotBefore}, {"iat", c.IssuedAt}} {
		if t.value.IsZero() {
			continue
		}
		seconds := t.value.Unix()
		if seconds < minDate || seconds > maxDate {
			return nil, claimErrorf("%s is not between 1970 and 9999", t.name)
		}
		all = append(all, member{t.name, seconds})
	}
	return all, nil
}

// isRegistered finds the claims that have a field of their own, in any case: a reader that folds case would
// take "EXP" for "exp".
func isRegistered(name string) bool {
	for _, r := range [...]string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
		if strings.EqualFold(name, r) {
			return true
		}
	}
	return false
}

func isIdentifier(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func claimErrorf(format string, args ...any) error {
	return fmt.Errorf("jwt: %w: "+format, append([]any{ErrClaim}, args...)...)
}
