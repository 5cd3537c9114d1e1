package login

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"
)

// Address is an e-mail address that a user can have.
type Address struct {
	// Given is the address as it was given: what users see, and where mail goes.
	Given string
	// Key is the canonical form. Two addresses are the same exactly when their keys are.
	Key string
}

// ErrAddress says that a text is no address that a user can have.
var ErrAddress = errors.New("login: not an e-mail address")

// maxAddress is the longest address that SMTP can carry, in bytes (RFC 5321, section 4.5.3.1.3, less the brackets).
const maxAddress = 254

// ParseAddress returns the address in s, which must be the bare address and nothing else. It takes less than RFC 5322
// and net/mail do: no names, comments, quoted local parts or address literals, which only serve to make one mailbox
// look like two.
//
// The key of an ASCII address is its lower case. A local part beyond ASCII is mapped by the PRECIS profile
// UsernameCaseMapped (RFC 8265), so that fullwidth letters and the Kelvin sign are the letters they look like; a domain
// by IDNA (UTS #46), so that its Unicode form and its punycode form have one key.
func ParseAddress(s string) (Address, error) {
	if len(s) > maxAddress || !utf8.ValidString(s) || strings.ContainsFunc(s, invisible) {
		return Address{}, ErrAddress
	}
	local, domain, found := strings.Cut(s, "@")
	if !found || !dotAtoms(local) || len(local) > 64 {
		return Address{}, ErrAddress
	}
	host, err := canonicalDomain(domain)
	if err != nil {
		return Address{}, err
	}
	if local, err = canonicalLocal(local); err != nil {
		return Address{}, err
	}
	return Address{Given: s, Key: local + "@" + host}, nil
}

// PrefixKey returns what the keys of addresses begin with that begin with prefix. A whole address has its key; of less, the
// local part is mapped, and a domain beyond ASCII is not: half a label has no punycode that the whole would begin with.
func PrefixKey(prefix string) string {
	if address, err := ParseAddress(prefix); err == nil {
		return address.Key
	}
	local, domain, found := strings.Cut(prefix, "@")
	if key, err := canonicalLocal(local); err == nil {
		local = key
	}
	if !found {
		return strings.ToLower(local)
	}
	return strings.ToLower(local + "@" + domain)
}

// dotAtoms reports whether s is a dot-atom of RFC 5322, section 3.2.3, with RFC 6531's letters beyond ASCII.
func dotAtoms(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf, 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func canonicalLocal(local string) (string, error) {
	if isASCII(local) {
		return strings.ToLower(local), nil
	}
	mapped, err := precis.UsernameCaseMapped.String(local)
	if err != nil || !dotAtoms(mapped) {
		return "", ErrAddress
	}
	return mapped, nil
}

func canonicalDomain(domain string) (string, error) {
	host, err := idna.Lookup.ToASCII(domain)
	if err != nil || len(host) > 253 || !strings.Contains(host, ".") && host != "localhost" {
		return "", ErrAddress
	}
	// A mapping can make a label that IDNA itself then refuses, for its mix of directions; such a domain has no form
	// that it could be known by.
	if again, err := idna.Lookup.ToASCII(host); err != nil || again != host {
		return "", ErrAddress
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", ErrAddress
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" { // an IPv4 address
		return "", ErrAddress
	}
	return host, nil
}

// invisible reports whether r has no shape of its own: zero-width and direction marks, controls.
func invisible(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
