package jwk

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// usualAge is for how long a set is fresh whose server does not say.
const usualAge = 5 * time.Minute

// freshness returns for how long an answer is fresh: its max-age (RFC 9111, section 5.2.2.1), less the time that it has lain
// in caches on the way, and within the bounds. A server that wants it kept for no time at all is asked as seldom as any.
func freshness(h http.Header, least, most time.Duration) time.Duration {
	age, said := maxAge(strings.Join(h["Cache-Control"], ","))
	if !said {
		return min(max(usualAge, least), most)
	}
	if lain, ok := seconds(h.Get("Age")); ok {
		age -= min(age, lain)
	}
	return min(max(age, least), most)
}

// maxAge reads a Cache-Control field; false when it does not say. Of several values the smallest counts, and no-store and
// no-cache are 0. What is not understood is passed over (RFC 9111, section 5.2.3).
func maxAge(field string) (age time.Duration, said bool) {
	for directive := range directives(field) {
		name, value, _ := strings.Cut(directive, "=")
		var d time.Duration
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "no-store", "no-cache":
		case "max-age":
			var ok bool
			if d, ok = seconds(strings.Trim(strings.TrimSpace(value), `"`)); !ok {
				d = 0 // it is stale, says RFC 9111, section 4.2.1
			}
		default:
			continue
		}
		if !said || d < age {
			age, said = d, true
		}
	}
	return age, said
}

// directives splits a field at the commas that are in no quoted string.
func directives(field string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(field); i++ {
			switch c := field[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				if !yield(field[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(field[start:])
	}
}

// seconds reads delta-seconds (RFC 9111, section 1.2.2): digits alone, and many of them mean a long time.
func seconds(text string) (time.Duration, bool) {
	const most = 1 << 31
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > most {
		n = most
	}
	return time.Duration(n) * time.Second, true
}
