// Package hostile holds the requests that attackers send to a route that needs a token, and sends them to one that runs:
// a server's own, an API behind a guard in its code, or one behind a proxy that asks for leave.
//
// Numbers of rows are those of the list of attacks that this project was begun with. The rows on users and keys that are
// no more, and on routes that need more than a token, are for each target to add: only it knows how to end a session.
package hostile

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
)

// Target is a route that answers GET with 200 to whoever has a good token, and what must be known to attack it.
type Target struct {
	// Addr is the address and port to connect to, and Host the Host header; empty means Addr.
	Addr, Host string
	// Path is the route's path.
	Path string
	// Query and Cookie name the query parameter and the cookie that may carry a token; empty for none.
	Query, Cookie string
	// Good is a token that the route lets through, as long as Run runs, and Key the key that signed it: HS256 or ES256.
	Good string
	Key  *jwt.Key
	// Former are tokens that were good once, by what has become of them.
	Former map[string]string
	// Invalid are the statuses of a request that is not written as it must be; nil means 400 alone. A proxy may know no
	// other answers than 401 and 403.
	Invalid []int
	// Plain says that a proxy answers, whose errors are no problem documents.
	Plain bool
}

// Request is a request to a target that must not get through.
type Request struct {
	// Name says what is wrong with it.
	Name string
	// Raw is the request as it goes over the wire.
	Raw string
	// Want are the statuses that are right; nil means any from 400 to 499.
	Want []int
	// Token is the token that the request shows as RFC 6750 wants it, for which a challenge must have an error code.
	// With None there must be no such code, for there is no token (section 3.1).
	Token string
	None  bool
	// Cut says that the connection may end without an answer, because the request is larger than anybody reads.
	Cut bool
}

// Run sends all requests to the target. Each must be refused, with a status that is right and a challenge where one is
// due, in good time and never as a fault of the server. The good token must be let through, before and after.
func Run(t *testing.T, target Target) {
	t.Helper()
	target = target.complete()
	target.accepts(t)
	t.Run("rows", func(t *testing.T) { // which ends when all of them have
		for _, row := range target.rows(t) {
			t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				for _, r := range row.requests {
					if fault := target.fault(r); fault != "" {
						t.Errorf("%s: %s", r.Name, fault)
					}
				}
			})
		}
	})
	target.accepts(t)
}

func (target Target) complete() Target {
	if target.Host == "" {
		target.Host = target.Addr
	}
	if target.Invalid == nil {
		target.Invalid = []int{400}
	}
	return target
}

type row struct {
	name     string
	requests []Request
}

// rows returns the whole list.
func (target Target) rows(t *testing.T) []row {
	t.Helper()
	f := newForger(t, target)
	heard := listen(t)
	var rows []row
	for _, tokens := range []struct {
		name string
		list []token
	}{
		{"75 none", f.none()},
		{"76 alg", f.alg()},
		{"77 public key as secret", f.confusion()},
		{"78 MAC", f.mac()},
		{"79 signature", f.signatures()},
		{"80 key in the header", f.keyInHeader(heard)},
		{"81 kid", f.keyID()},
		{"82 crit", f.critical()},
		{"83 typ", f.types()},
		{"84 JSON", f.json()},
		{"85 times", f.times()},
		{"86 names", f.names()},
		{"87 shapes", f.shapes()},
		{"88 encrypted", f.encrypted()},
		{"89 bombs", f.bombs()},
		{"92 former tokens", target.former()},
	} {
		r := row{name: tokens.name}
		for _, tok := range tokens.list {
			r.requests = append(r.requests, target.carrying(tok)...)
		}
		rows = append(rows, r)
	}
	return append(rows, row{"90 schemes", target.schemes()}, row{"91 two tokens", target.twoTokens()}, row{"T1 no token", target.noToken()},
		row{"T3 places that are not on", target.otherPlaces()}, row{"T6 methods", target.methods()}, row{"94 spellings of the path", target.spellings()})
}

// token is a text in place of a token. Name is what is wrong with it.
type token struct{ name, text string }

func (target Target) former() (list []token) {
	for name, text := range target.Former {
		list = append(list, token{name, text})
	}
	slices.SortFunc(list, func(a, b token) int { return strings.Compare(a.name, b.name) })
	return list
}
