package passport

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

const maxReturnTo = 2048

// SafeReturnTo returns s, and true, when s is a path of this site that a client may be sent to: it starts with one slash
// and leads nowhere else in any browser. It refuses all that has a scheme or a host, an empty or dot segment, a backslash
// or a control byte in the path, also when percent-encoded once or twice, and anything over 2,048 bytes. The query and the fragment
// may hold anything but control bytes, backslashes and invalid UTF-8.
//
// The check allows what is known to be good, for browsers read URLs otherwise than net/url does: they take a backslash
// for a slash, drop tabs and newlines, and then take what follows two slashes for a host.
func SafeReturnTo(s string) (string, bool) {
	if s == "" || len(s) > maxReturnTo || s[0] != '/' || hasControl(s) || !utf8.ValidString(s) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	// Decoded twice, for a proxy may decode once before us. What was plain in s is in here as well: decoding takes away
	// nothing but percent signs.
	path, err := url.PathUnescape(u.Path)
	if err != nil || !isPlainPath(path) {
		return "", false
	}
	return s, true
}

// hasControl reports whether s has a control byte, a backslash, or a space at its start.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '\\' {
			return true
		}
	}
	return strings.HasPrefix(s, " ")
}

func isPlainPath(p string) bool {
	if p == "" || p[0] != '/' || hasControl(p) {
		return false
	}
	segments := strings.Split(p[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		if s == "." || s == ".." || s == "" && !last {
			return false
		}
	}
	return true
}
