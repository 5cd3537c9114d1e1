package withpassword

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"

	"github.com/countersign-auth/countersign/internal/login"
)

// minWord is the least length, in characters, of a name that a password must not contain. A shorter one, such as go,
// stands in too many innocent passwords: it only must not be the password.
const minWord = 4

// fold returns the form in which passwords are compared with words: they differ in letters and not in their case.
func fold(s string) string { return strings.ToLower(norm.NFC.String(s)) }

// ownAddress reports whether a password holds the user's e-mail address, or is the part before the @ with fewer than
// four characters around it. The address is compared as it was given and in its canonical form.
func ownAddress(folded string, address login.Address) bool {
	for _, form := range []string{fold(address.Given), address.Key} {
		local, _, found := strings.Cut(form, "@")
		if found && (strings.Contains(folded, form) || mostly(folded, local)) {
			return true
		}
	}
	return false
}

func mostly(folded, local string) bool {
	n := utf8.RuneCountInString(local)
	if n < minWord {
		return folded == local
	}
	return utf8.RuneCountInString(folded)-n < 4 && strings.Contains(folded, local)
}

// serviceNames returns the folded spellings of the service's name: its words joined by nothing, by a space, a hyphen
// and an underscore. An empty name is taken from the issuer's host.
func serviceNames(name, issuer string) []string {
	if name == "" {
		name = hostLabel(issuer)
	}
	words := strings.FieldsFunc(fold(name), func(r rune) bool { return r == '-' || r == '_' || unicode.IsSpace(r) })
	switch len(words) {
	case 0:
		return nil
	case 1:
		return words
	}
	var names []string
	for _, separator := range []string{"", " ", "-", "_"} {
		names = append(names, strings.Join(words, separator))
	}
	return names
}

// hostLabel returns what the owner of a URL's host chose to register: example for https://auth.example.co.uk. It
// returns nothing for an IP address, for localhost, and for a name without dots, which only a private network knows.
func hostLabel(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || strings.HasSuffix("."+host, ".localhost") {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	label, _, _ := strings.Cut(domain, ".")
	if shown, err := idna.ToUnicode(label); err == nil {
		label = shown
	}
	return label
}

// namesService reports whether a password contains one of the service's names, or is one that is short. The length
// that counts is that of the name without separators, which is the first.
func namesService(folded string, names []string) bool {
	for _, name := range names {
		if folded == name || utf8.RuneCountInString(names[0]) >= minWord && strings.Contains(folded, name) {
			return true
		}
	}
	return false
}
