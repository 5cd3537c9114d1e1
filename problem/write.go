package problem

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ContentType is the media type of RFC 9457.
const ContentType = "application/problem+json"

// document is what goes over the wire: the members of RFC 9457 and, as extensions, code, errors and request_id.
// With no type member the type is about:blank, and so the title is the status in words.
type document struct {
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Code      string  `json:"code"`
	Detail    string  `json:"detail,omitempty"`
	Errors    []Field `json:"errors,omitempty"`
	RequestID string  `json:"request_id,omitempty"`
}

// Write answers with err as problem+json. It must be called before anything else is written.
// A request id is taken from the X-Request-Id header of the response, when there is one. If w, or a ResponseWriter within, has
// a method NoteProblem(code string), that is told the code first: it is for access logs.
func Write(w http.ResponseWriter, err error) {
	e := From(err)
	note(w, e.Code)
	status := e.header(w.Header())
	body, _ := json.Marshal(e.document(w.Header(), status)) // strings and ints always marshal
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// Respond answers with err in the form that the client asked for: a short page for a browser, problem+json for
// everything else. It must be called before anything else is written. The code is noted as by [Write].
func Respond(w http.ResponseWriter, r *http.Request, err error) {
	if !PrefersHTML(r) {
		w.Header().Add("Vary", "Accept")
		Write(w, err)
		return
	}
	e := From(err)
	note(w, e.Code)
	status := e.header(w.Header())
	w.Header().Add("Vary", "Accept")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = page.Execute(w, e.document(w.Header(), status)) // what fails here is the connection
}

func note(w http.ResponseWriter, code string) {
	for w != nil {
		switch t := w.(type) {
		case interface{ NoteProblem(code string) }:
			t.NoteProblem(code)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return
		}
	}
}

// PrefersHTML reports whether r's Accept header names text/html with a higher weight than any JSON type, as that of a
// browser does and that of a program does not. Wildcards do not count: they say nothing about who reads the answer.
func PrefersHTML(r *http.Request) bool {
	html, json := 0.0, 0.0
	for _, line := range r.Header["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			media, params, _ := strings.Cut(item, ";")
			switch media = strings.ToLower(strings.TrimSpace(media)); {
			case media == "text/html" || media == "application/xhtml+xml":
				html = max(html, weight(params))
			case media == "application/json" || strings.HasSuffix(media, "+json"):
				json = max(json, weight(params))
			}
		}
	}
	return html > json
}

func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}

func (e *Error) header(h http.Header) (status int) {
	for _, c := range e.Challenges {
		h.Add("WWW-Authenticate", c.String())
	}
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if len(e.Allow) > 0 {
		h.Set("Allow", strings.Join(e.Allow, ", "))
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("Content-Length")
	if e.Status < 400 || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}

func (e *Error) document(h http.Header, status int) document {
	return document{
		Title:     http.StatusText(status),
		Status:    status,
		Code:      e.Code,
		Detail:    e.Detail,
		Errors:    e.Fields,
		RequestID: h.Get("X-Request-Id"),
	}
}

var page = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Status}} {{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}code{color:#666}</style>
</head><body><h1>{{.Title}}</h1>
<p>{{.Detail}}</p>
{{with .Errors}}<ul>{{range .}}<li>{{.Detail}}</li>{{end}}</ul>{{end}}
<p><code>{{.Status}} {{.Code}}{{with .RequestID}} · {{.}}{{end}}</code></p>
</body></html>
`))
