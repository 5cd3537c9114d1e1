package api

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose forwarding headers are believed. Nobody else's are.
type Proxies []netip.Prefix

// Client returns the address of the client that sent r: that of the connection or, behind trusted proxies, the last
// address of X-Forwarded-For that is not itself a trusted proxy. What stands before that one the client wrote itself.
func (p Proxies) Client(r *http.Request) netip.Addr {
	client := addrOf(r)
	if !p.trust(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			return client
		}
		client = hop
		if !p.trust(client) {
			return client
		}
	}
	return client
}

// Sent reports whether one of them sent r.
func (p Proxies) Sent(r *http.Request) bool { return p.trust(addrOf(r)) }

// parseHop accepts an address with or without a port, as different proxies write it.
func parseHop(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// requestID returns the id that a trusted proxy gave the request, or else a new one.
func (f *front) requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && f.cfg.Proxies.Sent(r) && plainID(id) {
		return id
	}
	return rand.Text()
}

func plainID(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return len(s) <= 64
}
