package hostile

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxHeader is how long a header may be so that every server reads it.
const maxHeader = 6 << 10

// request writes a request that closes its connection. Headers come as name: value.
func (target Target) request(method, path string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, target.Host)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	return b.String() + "\r\n"
}

func bearer(text string) string { return "Authorization: Bearer " + text }

func (target Target) inQuery(text string) string {
	return target.Path + "?" + target.Query + "=" + url.QueryEscape(text)
}

// carrying returns the requests that carry a token, one for each place where it can stand.
func (target Target) carrying(tok token) []Request {
	large := len(tok.text) > maxHeader
	want := []int{401}
	switch {
	case large:
		want = nil
	case !strings.Contains(tok.text, ".") || strings.Trim(tok.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "":
		want = append([]int{400, 401}, target.Invalid...) // whether it is a bad token or none at all is a matter of taste
	}
	shown := tok.text
	if large {
		shown = ""
	}
	var list []Request
	// A header is trimmed of white space, and ends where its line ends: what is left may be the good token.
	if text := strings.Trim(tok.text, " \t"); text == tok.text && !strings.ContainsAny(text, "\r\n") {
		list = append(list, Request{Name: tok.name + ", in the header", Raw: target.request("GET", target.Path, bearer(text)), Want: want, Token: shown, Cut: large})
	}
	if target.Query != "" {
		list = append(list, Request{Name: tok.name + ", in the query", Raw: target.request("GET", target.inQuery(tok.text)), Want: want, Token: shown, Cut: large})
	}
	// What stands in a cookie besides may be another cookie, or none.
	if target.Cookie != "" && !strings.ContainsAny(tok.text, "\r\n") && strings.Trim(tok.text, "\" \t;") == tok.text {
		list = append(list, Request{Name: tok.name + ", in the cookie", Raw: target.request("GET", target.Path, "Cookie: "+target.Cookie+"="+tok.text), Want: want, Cut: large})
	}
	return list
}

// noToken are requests without a token, to which the challenge has no error code (RFC 6750, section 3.1).
func (target Target) noToken() []Request {
	list := []Request{
		{Name: "no header", Raw: target.request("GET", target.Path), Want: []int{401}, None: true},
		{Name: "empty header", Raw: target.request("GET", target.Path, "Authorization:"), Want: []int{401}, None: true},
		{Name: "another header", Raw: target.request("GET", target.Path, "X-Authorization: Bearer "+target.Good), Want: []int{401}, None: true},
		{Name: "proxy's header", Raw: target.request("GET", target.Path, "Proxy-Authorization: Bearer "+target.Good), Want: []int{401}, None: true},
		{Name: "no cookie", Raw: target.request("GET", target.Path, "Cookie: a=b; c=d"), Want: []int{401}, None: true},
	}
	if target.Query != "" {
		list = append(list,
			Request{Name: "empty parameter", Raw: target.request("GET", target.Path+"?"+target.Query+"="), Want: []int{401}, None: true},
			Request{Name: "parameter without a value", Raw: target.request("GET", target.Path+"?"+target.Query), Want: []int{401}, None: true},
			Request{Name: "list parameter", Raw: target.request("GET", target.Path+"?"+target.Query+"[]="+target.Good), Want: []int{401}, None: true},
			Request{Name: "bad escape", Raw: target.request("GET", target.Path+"?"+target.Query+"=%zz"), Want: target.Invalid},
			Request{Name: "semicolon", Raw: target.request("GET", target.Path+"?a=1;"+target.Query+"="+target.Good)},
		)
	}
	return list
}

// schemes are Authorization headers of other schemes, or of none, and such as hold more than a token.
func (target Target) schemes() (list []Request) {
	good := target.Good
	for _, value := range []string{"Basic YTpi", "Basic " + good, "Token " + good, "JWT " + good, "Digest " + good, "DPoP " + good, "Negotiate " + good, good, "BearerX " + good, "Bearer" + good,
		"XBearer " + good, "Be\u0430rer " + good, "Bearer\u00a0" + good, "Bearer=" + good, "Bearer:" + good, "Bearer," + good, "\"Bearer\" " + good} {
		list = append(list, Request{Name: fmt.Sprintf("%.20q", value), Raw: target.request("GET", target.Path, "Authorization: "+value), Want: append([]int{400, 401}, target.Invalid...)})
	}
	for _, value := range []string{"Bearer", "Bearer ", `Bearer "` + good + `"`, "Bearer " + good + ", Bearer " + good, "Bearer " + good + " " + good, "Bearer " + good + "," + good, "Bearer Bearer " + good,
		"Bearer a.b.c, Bearer " + good, "Bearer " + good + ", Basic YTpi", "Basic YTpi, Bearer " + good, "Bearer token=" + good, "Bearer\t" + good} {
		list = append(list, Request{Name: fmt.Sprintf("%.20q", value), Raw: target.request("GET", target.Path, "Authorization: "+value), Want: append([]int{400, 401}, target.Invalid...)})
	}
	return list
}

// twoTokens are requests with two tokens, of which one or both are good: nobody can say which of them counts.
func (target Target) twoTokens() (list []Request) {
	pairs := [][2]string{{target.Good, target.Good}, {target.Good, "a.b.c"}, {"a.b.c", target.Good}}
	add := func(name, path string, headers ...string) {
		list = append(list, Request{Name: name, Raw: target.request("GET", path, headers...), Want: target.Invalid})
	}
	for i, p := range pairs {
		of := func(where string) string { return fmt.Sprint(where, ", pair ", i) }
		cookie := func(text string) string { return "Cookie: " + target.Cookie + "=" + text }
		add(of("two headers"), target.Path, bearer(p[0]), bearer(p[1]))
		add(of("header and another scheme"), target.Path, bearer(p[0]), "Authorization: Basic YTpi")
		if target.Query != "" {
			add(of("header and query"), target.inQuery(p[1]), bearer(p[0]))
			add(of("query twice"), target.inQuery(p[0])+"&"+target.Query+"="+p[1])
		}
		if target.Cookie != "" {
			add(of("header and cookie"), target.Path, bearer(p[0]), cookie(p[1]))
			add(of("cookie twice"), target.Path, cookie(p[0]+"; "+target.Cookie+"="+p[1]))
			add(of("two cookie headers"), target.Path, cookie(p[0]), cookie(p[1]))
		}
		if target.Query != "" && target.Cookie != "" {
			add(of("query and cookie"), target.inQuery(p[1]), cookie(p[0]))
		}
	}
	return list
}

// otherPlaces are places of a good token that is not looked for there.
func (target Target) otherPlaces() (list []Request) {
	for _, name := range []string{"access_token", "token", "secret_token", "jwt", "auth_token", "bearer"} {
		if name != target.Query {
			list = append(list, Request{Name: "query " + name, Raw: target.request("GET", target.Path+"?"+name+"="+target.Good), Want: []int{401}, None: true})
		}
		if name != target.Cookie {
			list = append(list, Request{Name: "cookie " + name, Raw: target.request("GET", target.Path, "Cookie: "+name+"="+target.Good), Want: []int{401}, None: true})
		}
		list = append(list, Request{Name: "header " + name, Raw: target.request("GET", target.Path, strings.ReplaceAll(name, "_", "-")+": "+target.Good), Want: []int{401}, None: true})
	}
	body := "access_token=" + target.Good
	list = append(list, Request{Name: "body", Raw: target.request("POST", target.Path, "Content-Type: application/x-www-form-urlencoded", fmt.Sprint("Content-Length: ", len(body))) + body})
	fragment := Request{Name: "fragment", Raw: target.request("GET", target.Path+"#access_token="+target.Good)}
	return append(list, fragment)
}

// methods ask for the route in other ways, without a token.
func (target Target) methods() (list []Request) {
	for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "GET\t"} {
		list = append(list, Request{Name: method, Raw: target.request(method, target.Path, "Content-Length: 0")})
	}
	for _, header := range []string{"X-HTTP-Method-Override: OPTIONS", "X-HTTP-Method: HEAD", "X-Method-Override: OPTIONS", "X-Original-URL: /", "X-Rewrite-URL: /healthz",
		"X-Forwarded-Uri: /healthz", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Host: localhost", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1",
		"X-User-Id: u1", "X-User-Roles: admin", "X-User-Scopes: admin", "X-Remote-User: u1", "Remote-User: u1", "Access-Control-Request-Method: GET", "Upgrade: websocket"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			list = append(list, Request{Name: method + " with " + header, Raw: target.request(method, target.Path, header, "Content-Length: 0")})
		}
	}
	return list
}

// spellings are the path as other layers may read it, without a token.
func (target Target) spellings() (list []Request) {
	for _, path := range Spellings(target.Host, target.Path) {
		list = append(list, Request{Name: path, Raw: target.request("GET", path)})
	}
	return list
}

// Spellings returns request targets that some server takes for that path, which has two segments or more, and the path
// itself with what may hide it.
func Spellings(host, p string) []string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	letter := fmt.Sprintf("/%%%x%s", p[1], p[2:])
	paths := []string{"/" + p, "//" + first + "//" + rest, "/./" + p[1:], "/" + first + "/./" + rest, "/" + first + "/x/../" + rest, "/x/.." + p, "/.." + p, "/" + strings.ToUpper(p[1:]),
		"/" + strings.ToUpper(p[1:2]) + p[2:], p + "/", p + "//", p + "/.", p + "/x/..", letter, strings.ToUpper(letter[:4]) + letter[4:], "/%25" + letter[2:], "/" + first + "%2f" + rest, "/" + first + "%2F" + rest,
		"/" + first + "%252f" + rest, "/" + first + "%5c" + rest, "/" + first + `\` + rest, `\` + p[1:], "/%2e" + p, "/%2e%2e" + p, "/" + first + "/%2e/" + rest, "/" + first + "/x/%2e%2e/" + rest,
		p + "%00", p + "%20", p + "%0a", p + ";x", p + ";x=1", "/;x" + p, "/" + first + ";/" + rest, p + "?", p + "??", p + "?x=/healthz", p + "#", p + "#/healthz", p + "%23", p + "%3f", p + ".", p + ".json",
		p + "%c0%af", "/%c0%ae%c0%ae" + p, "/" + first + "%e2%81%84" + rest, "http://" + host + p, "http://" + host + "/" + p, "http://evil.example" + p, "http://" + host + "@evil.example" + p,
		"https://" + host + p, p[1:], "?" + p, "*", "/healthz/.." + p, "/healthz/..;" + p, "/healthz%2f.." + p, "/" + p + "/../../" + p[1:], "/auth/.." + p, "/auth/%2e%2e" + p, "/auth/..%2f" + p[1:], "/auth//.." + p,
		p + "%09", p + "%5c", p + "/%2e", strings.Replace(p, "s", "%c5%bf", 1), strings.Replace(p, "s", "\u017f", 1), "http://" + host + "?" + p, "http:/" + p, "//" + host + p}
	slices.Sort(paths)
	return slices.Compact(paths)
}
