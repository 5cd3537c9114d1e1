package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"sync"
)

// JSON answers 200 with v, which must be of a type that always marshals.
func JSON(w http.ResponseWriter, v any) { JSONStatus(w, 0, v) }

// JSONStatus answers with v and that status of a success; zero means 200.
func JSONStatus(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(cmp.Or(status, http.StatusOK))
	_, _ = w.Write(append(body, '\n')) // what fails here is the connection
}

// Appender is an answer that writes itself, for routes where the reflection of encoding/json is a large part of the cost.
// AppendJSON appends what json.Marshal gives, to the byte.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// buffers are what answers and log lines are put together in.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is the largest that is kept. Nearly all are far smaller.
const maxBuffer = 16 << 10

func keep(p *[]byte, b []byte) {
	if cap(b) <= maxBuffer {
		*p = b[:0]
		buffers.Put(p)
	}
}

// AppendedJSON answers 200 with v.
func AppendedJSON[T Appender](w http.ResponseWriter, v T) {
	p := buffers.Get().(*[]byte)
	b := append(v.AppendJSON((*p)[:0]), '\n')
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(b) // what fails here is the connection
	keep(p, b)
}

// AppendString appends s as json.Marshal writes it.
func AppendString(b []byte, s string) []byte {
	if !onlyOf(s, &inHTML) {
		text, _ := json.Marshal(s) // strings always marshal
		return append(b, text...)
	}
	return append(append(append(b, '"'), s...), '"')
}

func onlyOf(s string, bytes *[256]bool) bool {
	for i := range len(s) {
		if !bytes[s[i]] {
			return false
		}
	}
	return true
}

// inJSON has the bytes that stand for themselves in a JSON string, inHTML those that do so in one that may stand in a page.
var inJSON, inHTML = func() (json, html [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		json[c] = c != '"' && c != '\\'
		html[c] = json[c] && c != '<' && c != '>' && c != '&'
	}
	return json, html
}()
