package ratelimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// keyer names counters. Without its key nobody can tell from a name what is counted, nor try out which address it is.
type keyer struct{ secret []byte }

// of returns the name of the counter of that subject in that scope. 144 bits of a MAC do not collide.
func (k keyer) of(scope string, subject ...string) string {
	sum := fingerprint(k.secret, scope, subject...)
	return scope + ":" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// fingerprint returns the HMAC-SHA-256 over parts that are told apart by their lengths: no two lists of them look alike.
func fingerprint(key []byte, scope string, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	var length [8]byte
	for _, part := range append([]string{"countersign/ratelimit/1", scope}, parts...) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// nat64 is the prefix by which IPv6 networks write IPv4 addresses (RFC 6052): one /64 for all of IPv4.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Source returns what one client is counted as: an IPv4 address, or the /64 that an IPv6 client has to itself
// (RFC 6177). Clients without an address, as over a Unix socket, are all one.
func Source(a netip.Addr) string {
	a = plain(a)
	if !a.IsValid() || a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// network returns the /48 of an IPv6 address, which is what one customer may have at the most, or "".
func network(a netip.Addr) string {
	a = plain(a)
	if !a.IsValid() || a.Is4() {
		return ""
	}
	return netip.PrefixFrom(a, 48).Masked().String()
}

// plain returns the address without a zone, an IPv4 address as such however it is written.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}
