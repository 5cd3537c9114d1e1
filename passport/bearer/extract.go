package bearer

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign-auth/countersign/passport/internal/wire"
	"github.com/countersign-auth/countersign/problem"
)

// Extractor says where in a request the token stands. [Header], [AuthScheme], [HeaderField], [Cookie], [Form], [Query],
// [First] and [Func] make one; the zero Extractor is Header(). It is a value and may be used by many goroutines.
//
// A place that holds two tokens is a 400, even when they are equal: which of the two was checked is anybody's guess, and
// RFC 6750, section 2, forbids more than one.
type Extractor struct {
	find find
	err  error
	// where is for Known: what a request need not have for the token of its Authorization header to be the only one.
	where where
}

// where says where an extractor looks, as far as it is of use to know.
type where uint8

const (
	inHeader where = 1 << iota // at "Authorization: Bearer"
	inQuery
	inCookie
	elsewhere
)

// find returns the token, "" without one. inURL says that the URL has one, also when there is an error.
type find func(r *http.Request) (token string, inURL bool, err error)

// Header finds the token of "Authorization: Bearer …" (RFC 6750, section 2.1). Another scheme is no token.
func Header() Extractor { return AuthScheme("Bearer") }

// AuthScheme finds the token of an Authorization header with that scheme, such as "JWT". The scheme's case does not
// matter (RFC 9110, section 11.1).
func AuthScheme(scheme string) Extractor {
	if !isToken(scheme) {
		return Extractor{err: fmt.Errorf("bearer: %q is not an authentication scheme", scheme)}
	}
	place := elsewhere
	if scheme == "Bearer" {
		place = inHeader
	}
	return Extractor{where: place, find: func(r *http.Request) (string, bool, error) {
		lines := r.Header["Authorization"]
		if len(lines) == 0 {
			return "", false, nil
		}
		if len(lines) > 1 {
			return "", false, several()
		}
		got, token, _ := strings.Cut(lines[0], " ")
		if !strings.EqualFold(got, scheme) {
			return "", false, nil
		}
		token = strings.Trim(token, " ")
		if !isOne(token) {
			return "", false, invalid("The Authorization header must hold one token after the scheme.")
		}
		return token, false, nil
	}}
}

// HeaderField finds the token that is the whole value of a header field of its own, such as X-Token. An empty one is no
// token.
func HeaderField(name string) Extractor {
	if !isToken(name) {
		return Extractor{err: fmt.Errorf("bearer: %q is not a header field", name)}
	}
	name = http.CanonicalHeaderKey(name)
	return Extractor{where: elsewhere, find: func(r *http.Request) (string, bool, error) {
		return single(r.Header[name])
	}}
}

// Cookie finds the token in the cookie of that name. Browsers send cookies by themselves: protect what it opens with
// [http.CrossOriginProtection].
func Cookie(name string) Extractor {
	if !isToken(name) {
		return Extractor{err: fmt.Errorf("bearer: %q is not a cookie name", name)}
	}
	return Extractor{where: inCookie, find: func(r *http.Request) (string, bool, error) {
		if len(r.Header["Cookie"]) == 0 {
			return "", false, nil
		}
		var values []string
		for _, c := range r.CookiesNamed(name) {
			values = append(values, c.Value)
		}
		return single(values)
	}}
}

// Form finds the token in that field of a form body (RFC 6750, section 2.2), and puts the body back. It looks only where
// the Content-Type says application/x-www-form-urlencoded, at no more than 64 KiB, and not in GET and HEAD requests.
func Form(name string) Extractor {
	if name == "" {
		return Extractor{err: errors.New("bearer: the form field has no name")}
	}
	return Extractor{where: elsewhere, find: func(r *http.Request) (string, bool, error) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return "", false, nil
		}
		if media, err := wire.MediaType(r); err != nil || media != wire.Form {
			return "", false, nil
		}
		body, err := wire.Body(r, wire.DefaultMaxBody)
		if err != nil {
			return "", false, err
		}
		var values []string
		err = wire.ParseForm(body, func(n, value string) {
			if n == name {
				values = append(values, value)
			}
		})
		if err != nil {
			return "", false, err
		}
		return single(values)
	}}
}

// Query finds the token in that parameter of the URL's query (RFC 6750, section 2.3). URLs end in logs, histories and
// referrers: switch it on only for clients that know no other way. The guard's handler then answers with
// Cache-Control: no-store and Referrer-Policy: no-referrer.
func Query(name string) Extractor {
	if name == "" {
		return Extractor{err: errors.New("bearer: the query parameter has no name")}
	}
	return Extractor{where: inQuery, find: func(r *http.Request) (string, bool, error) {
		if r.URL.RawQuery == "" {
			return "", false, nil
		}
		var token string
		count, bad := 0, false
		wire.QueryNames(r.URL.RawQuery, func(n, raw string) bool {
			if n == name {
				value, err := url.QueryUnescape(raw)
				token, bad = value, bad || err != nil
				count++
			}
			return true
		})
		switch {
		case count > 1:
			return "", true, several()
		case bad, count == 1 && strings.Contains(r.URL.RawQuery, ";"): // which is a separator to some and to others not
			return "", true, invalid("The token in the query is not percent-encoded as it must be.")
		}
		return token, token != "", nil
	}}
}

// First looks in all these places, in this order. Two of them with a token are a 400; a list that took the first one it
// finds would let a request mean one thing here and another at the next server.
func First(list ...Extractor) Extractor {
	if len(list) == 0 {
		return Extractor{err: errors.New("bearer: First needs an extractor")}
	}
	finds := make([]find, len(list))
	var places where
	for i, e := range list {
		e = e.orDefault()
		if e.err != nil {
			return e
		}
		finds[i] = e.find
		places |= e.where
	}
	return Extractor{where: places, find: func(r *http.Request) (token string, inURL bool, err error) {
		for _, f := range finds {
			t, in, ferr := f(r)
			inURL = inURL || in
			switch {
			case ferr != nil:
				if err == nil {
					err = ferr
				}
			case t != "" && token != "":
				if err == nil {
					err = several()
				}
			case t != "":
				token = t
			}
		}
		if err != nil {
			return "", inURL, err
		}
		return token, inURL, nil
	}}
}

// Func makes an extractor of a function. "" means that there is no token; an error is a [problem.Error] with a 4xx
// status, or else a technical fault. It does not change the request.
func Func(f func(r *http.Request) (token string, err error)) Extractor {
	if f == nil {
		return Extractor{err: errors.New("bearer: Func needs a function")}
	}
	return Extractor{where: elsewhere, find: func(r *http.Request) (string, bool, error) {
		token, err := f(r)
		return token, false, err
	}}
}

func (e Extractor) orDefault() Extractor {
	if e.find == nil && e.err == nil {
		return Header()
	}
	return e
}

// single returns the one value that there may be.
func single(values []string) (string, bool, error) {
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], false, nil
	}
	return "", false, several()
}

// CodeInvalidRequest is the code of the 400 for more than one token, or for one that is not written as it must be; it is
// the error code of RFC 6750, section 3.1.
const CodeInvalidRequest = "invalid_request"

func several() error { return invalid("The request has more than one token; send exactly one.") }

func invalid(detail string) error {
	return problem.New(http.StatusBadRequest, CodeInvalidRequest, detail)
}

// isOne reports whether s is one token and not a list, a quoted string or several words. Whether it is a good one is for
// the verifier to say, which looks at every byte anyway.
func isOne(s string) bool {
	return s != "" && strings.IndexByte(s, ' ') < 0 && strings.IndexByte(s, ',') < 0 &&
		strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\t') < 0
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
