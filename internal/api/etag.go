package api

import (
	"net/http"
	"strings"
)

// Matches reports whether If-None-Match of r names etag, by the weak comparison of RFC 9110, section 13.1.2: the client
// has what it asks for, and the answer is 304. An entity tag of ours has no comma.
func Matches(r *http.Request, etag string) bool {
	lines := r.Header["If-None-Match"]
	if len(lines) == 1 && lines[0] == etag {
		return true
	}
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.Trim(item, " \t")
			if item == "*" || strings.TrimPrefix(item, "W/") == etag {
				return true
			}
		}
	}
	return false
}
