package forward

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// request is what a proxy asks about.
type request struct {
	method string
	// scheme is http or https.
	scheme string
	// host is the name that rules compare, and authority what the client sent, which may have a port.
	host, authority string
	// target is the path and query as they stand in the request line.
	target string
	path   spelling
}

// origin returns the origin that the request is for.
func (q *request) origin() string { return q.scheme + "://" + q.authority }

// mount is where the handler is.
const mount = "/forward-auth"

// read returns what r asks about.
func read(r *http.Request) (*request, error) {
	q := &request{}
	if err := q.readTarget(r); err != nil {
		return nil, err
	}
	var ok bool
	if q.host, q.authority, ok = splitHost(q.authority); !ok {
		return nil, errForwardedInvalid
	}
	if q.scheme, ok = schemeOf(r.Header["X-Forwarded-Proto"]); !ok {
		return nil, errForwardedInvalid
	}
	if !isMethod(q.method) || overrides(r.Header, q.method) {
		return nil, errMethodNotPlain
	}
	if redirects(r.Header, q) || leavesHTTP(r.Header) || hasDisguise(r.Header) {
		return nil, errHeaderNotPlain
	}
	path, _, _ := strings.Cut(q.target, "?")
	if q.path, ok = spell(path); !ok {
		return nil, errPathNotPlain
	}
	return q, nil
}

// readTarget finds method, host and target: in the headers of a proxy that sends its question to one path, or else in the
// request line of one that puts that path before the client's.
func (q *request) readTarget(r *http.Request) error {
	if behind, ok := strings.CutPrefix(r.RequestURI, mount); ok && strings.HasPrefix(behind, "/") {
		q.method, q.authority, q.target = r.Method, r.Host, behind
		return nil
	}
	for _, field := range [...]struct {
		name string
		into *string
	}{{"X-Forwarded-Method", &q.method}, {"X-Forwarded-Host", &q.authority}, {"X-Forwarded-Uri", &q.target}} {
		switch values := r.Header[field.name]; {
		case len(values) == 0 || len(values) == 1 && values[0] == "":
			return errForwardedMissing
		case len(values) > 1:
			return errForwardedInvalid
		default:
			*field.into = values[0]
		}
	}
	return nil
}

// schemeOf returns how the client reached the proxy. A proxy that does not say is believed to speak TLS.
func schemeOf(values []string) (string, bool) {
	if len(values) == 0 {
		return "https", true
	}
	scheme := values[0]
	return scheme, len(values) == 1 && (scheme == "https" || scheme == "http")
}

// splitHost returns the name in a Host header, in lower case and without a port or a dot at its end, and the whole in lower
// case without that dot. It says false for what is no host.
func splitHost(host string) (name, authority string, ok bool) {
	name, port := strings.ToLower(host), ""
	if end := strings.LastIndexByte(name, ':'); end >= 0 && end > strings.LastIndexByte(name, ']') {
		name, port = name[:end], name[end:]
		if n, err := strconv.ParseUint(port[1:], 10, 16); err != nil || n == 0 {
			return "", "", false
		}
	}
	if inner, bracketed := strings.CutPrefix(name, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		name = "[" + addr.String() + "]" // the one of its spellings
		return name, name + port, closed && err == nil && addr.Is6() && addr.Zone() == ""
	}
	name = strings.TrimSuffix(name, ".")
	return name, name + port, isHostname(name)
}

// isHostname reports whether a name in lower case has the characters of one.
func isHostname(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && i < len(name)-1 && name[i-1] != '.':
		default:
			return false
		}
	}
	return name != "" && len(name) <= 253
}

// isMethod reports whether s is a method in upper case. Methods are case-sensitive (RFC 9110, section 9.1), which not every
// server knows.
func isMethod(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// overrides reports whether a header asks the server behind the proxy to take the request for one of another method.
func overrides(h http.Header, method string) bool {
	for _, name := range [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		for _, value := range h[name] {
			if value != method {
				return true
			}
		}
	}
	return false
}

// redirects reports whether a header asks the server behind the proxy to take the request for one of another path, as some
// frameworks do that were made for servers which rewrite paths.
func redirects(h http.Header, q *request) bool {
	for _, name := range [...]string{"X-Original-Url", "X-Rewrite-Url"} {
		for _, value := range h[name] {
			if value != q.target && value != q.origin()+q.target {
				return true
			}
		}
	}
	return false
}

// leavesHTTP reports whether the connection is to become one of another protocol than WebSocket. What is asked for in HTTP/2
// on a connection that was upgraded to it, no proxy sees any more.
func leavesHTTP(h http.Header) bool {
	for _, protocol := range h["Upgrade"] {
		if protocol != "" && !strings.EqualFold(protocol, "websocket") {
			return true
		}
	}
	return false
}

// hasDisguise reports whether there is a header whose name, with hyphens for all that is no letter or digit, is one that a
// server behind the proxy must not get from the client: CGI and its heirs make one of all such spellings (PHP of "X.User-Id",
// too), and no proxy's rule for the one meets the other. SCRIPT_NAME is how Gunicorn is told which part of the path to leave out.
func hasDisguise(h http.Header) bool {
	for name := range h {
		if !strings.ContainsFunc(name, isMark) {
			continue
		}
		name = strings.ToLower(strings.Map(func(r rune) rune {
			if isMark(r) {
				return '-'
			}
			return r
		}, name))
		switch name {
		case "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "x-real-ip", "script-name", "path-info":
			return true
		}
		if strings.HasPrefix(name, "x-user-") || strings.HasPrefix(name, "x-forwarded-") {
			return true
		}
	}
	return false
}

// isMark reports whether a character of a header's name is neither a letter nor a digit nor a hyphen.
func isMark(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
