package apikey

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign-auth/countersign/passport/internal/wire"
)

// found is what a request has for a key.
type found struct {
	text  string
	count int
	// inURL says that the URL has one, also when it is refused.
	inURL bool
}

func (f *found) add(text string) { f.text, f.count = text, f.count+1 }

// find looks in all places, for a request with two keys is refused even if they are equal: which of them was checked is anybody's
// guess.
func (s *Strategy[U]) find(r *http.Request) (f found) {
	for _, line := range r.Header[s.header] {
		if line != "" {
			f.add(line)
		}
	}
	lines, tokens := r.Header["Authorization"], 0
	for _, line := range lines {
		scheme, text, _ := strings.Cut(line, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if text = strings.Trim(text, " "); strings.HasPrefix(text, Prefix) {
			f.add(text)
			f.count += len(lines) - 1 // as keys, whatever they are: another server may read another line
		} else {
			tokens++
		}
	}
	if s.query != "" && r.URL.RawQuery != "" {
		s.findInQuery(r.URL.RawQuery, &f)
	}
	if f.count > 0 { // a token beside a key is one credential too many, whoever reads it
		f.count += tokens
	}
	return f
}

func (s *Strategy[U]) findInQuery(query string, f *found) {
	wire.QueryNames(query, func(name, raw string) bool {
		if name == s.query && raw != "" {
			text, err := url.QueryUnescape(raw)
			if err != nil {
				text = raw // which has a percent sign, and so is no key
			}
			f.add(text)
			f.inURL = true
		}
		return true
	})
}

// isFieldName reports whether a text is a token (RFC 9110, section 5.6.2), as the name of a header field is.
func isFieldName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
