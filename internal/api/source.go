package api

import "net/netip"

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

// Site returns the /48 of an IPv6 address, which is what one customer may have at the most, or "".
func Site(a netip.Addr) string {
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
