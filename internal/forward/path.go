package forward

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// spelling is the path of a request as rules compare it: in forms that are each looser than the one before.
type spelling struct {
	// exact is the path, percent-decoded.
	exact string
	// loose is what servers make of it that do not look closely: letters by Unicode's compatibility folding, without
	// parameters behind a semicolon, without dots and spaces at the end of a segment, without a slash at the end.
	loose string
	// bare is loose without extensions of the last segment, which some frameworks take for a wish of format.
	bare string
	// cut is loose up to the first semicolon, where the query begins for some frameworks (Fastify 4); empty when there is none.
	cut string
}

// plain reports whether there is one way to spell the path only.
func (s *spelling) plain() bool { return s.exact == s.loose && s.exact == s.bare }

// spell reads the path of a request line. It says false for a path that servers disagree about, so that no rule could say
// what it leads to: with empty or dot segments, encoded slashes, backslashes, controls, "?" or "#", an encoding within the
// encoding, or text that is not UTF-8.
func spell(raw string) (spelling, bool) {
	if isSimple(raw) {
		return spelling{raw, raw, raw, ""}, true
	}
	exact, ok := decode(raw)
	if !ok || !hasNames(exact) {
		return spelling{}, false
	}
	loose, ok := loosen(exact)
	s := spelling{exact: exact, loose: loose, bare: withoutExtension(loose)}
	if before, _, parameters := strings.Cut(fold(exact), ";"); ok && parameters {
		s.cut, ok = loosen(before)
	}
	return s, ok
}

// isSimple reports whether a path is in its loosest form already, as most are: a shortcut that spell does without.
func isSimple(raw string) bool {
	if raw == "" || raw[0] != '/' || len(raw) > 1 && raw[len(raw)-1] == '/' {
		return false
	}
	for i := range len(raw) {
		switch c := raw[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '/' && (i == 0 || raw[i-1] != '/'):
		default:
			return false
		}
	}
	return true
}

// maxPath is the longest path that is read if it must be decoded. Some letters become eighteen by folding, and a path is folded before anybody is
// known.
const maxPath = 8 << 10

// decode undoes percent-encoding, once.
func decode(raw string) (string, bool) {
	if raw == "" || raw[0] != '/' || len(raw) > maxPath {
		return "", false
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c <= ' ' || c >= 0x7f || c == '\\' || c == '#' || c == '?': // what no URL has in its path as it is
			return "", false
		case c == '%':
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "", false
			}
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			if strings.IndexByte(`/\?#`, c) >= 0 {
				return "", false
			}
			i += 2
		}
		b = append(b, c)
	}
	path := string(b)
	if !utf8.ValidString(path) || strings.ContainsFunc(path, isUnclear) || isEncoded(path) {
		return "", false
	}
	return path, true
}

// isUnclear reports whether a character is a control, or looks so much like a separator that it becomes one where text is
// brought into an older character set.
func isUnclear(r rune) bool {
	switch r {
	case '\u00a5', '\u20a9', // backslashes in the character sets of Japan and Korea
		'\u2044', '\u2215', '\u2216', '\u29f5', '\u29f8', '\u2028', '\u2029', utf8.RuneError:
		return true
	}
	return unicode.IsControl(r)
}

// isEncoded reports whether a server that decodes once more would find something.
func isEncoded(path string) bool {
	for i := range len(path) - 2 {
		if path[i] == '%' && (path[i+1] == 'u' || path[i+1] == 'U' || isHex(path[i+1]) && isHex(path[i+2])) {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

// hasNames reports whether every segment but an empty last one has a name, when parameters, dots and spaces are taken off, and
// is a name.
func hasNames(path string) bool {
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if nameOf(segment) == "" && (more || segment != "") || isForWindows(segment) {
			return false
		}
	}
	return true
}

// isForWindows reports whether a segment is not the name of anything on Windows: ASP.NET takes (S(…)) out of the path, as the
// id of a session, and in front of :$DATA or :$INDEX_ALLOCATION stands a file or a folder.
func isForWindows(segment string) bool {
	return strings.Contains(segment, ":$") || len(segment) > 3 && segment[0] == '(' && segment[2] == '(' && strings.HasSuffix(segment, "))")
}

// nameOf returns a segment without parameters, and without the dots and spaces at its end that Windows does not see.
func nameOf(segment string) string {
	name, _, _ := strings.Cut(segment, ";")
	return strings.TrimRight(name, ". ")
}

// loosen returns the loose form of a path. It says false when folding made another path of it, as of one with a full-width
// slash.
func loosen(path string) (string, bool) {
	folded := fold(path)
	if strings.Count(folded, "/") != strings.Count(path, "/") || strings.ContainsAny(folded, `\?#`) ||
		!hasNames(folded) || isEncoded(folded) {
		return "", false
	}
	var b strings.Builder
	for segment := range strings.SplitSeq(strings.TrimSuffix(folded[1:], "/"), "/") {
		b.WriteByte('/')
		b.WriteString(nameOf(segment))
	}
	return b.String(), true
}

// fold makes one of all letters that some comparison without case takes for the same, and leaves characters out that are
// not seen.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // there and back: a dotless i is an i for who compares in upper case
	}, norm.NFKC.String(s))
	return norm.NFKC.String(cases.Fold().String(s))
}

// withoutExtension takes everything behind the first dot off the last segment, but for a dot that begins it.
func withoutExtension(loose string) string {
	start := strings.LastIndexByte(loose, '/') + 1
	if name, _, _ := strings.Cut(loose[start:], "."); name != "" {
		return loose[:start] + strings.TrimRight(name, " ")
	}
	return loose
}
