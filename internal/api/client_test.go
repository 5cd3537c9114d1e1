package api_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/countersign-auth/countersign/internal/api"
)

func FuzzClient(f *testing.F) {
	for _, s := range []string{"203.0.113.9", "10.0.0.1, 203.0.113.9:80", "[2001:db8::1]:80", "fe80::1%eth0", "::ffff:10.0.0.1", ",", "unknown"} {
		f.Add(s)
	}
	proxies := api.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-For", forwarded)
		r.RemoteAddr = "192.0.2.1:1"
		if got := proxies.Client(r); got != netip.MustParseAddr("192.0.2.1") {
			t.Fatalf("a stranger's header %q makes it %v", forwarded, got)
		}
		r.RemoteAddr = "10.0.0.9:1"
		if got := proxies.Client(r); !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q makes the address %v", forwarded, got)
		}
	})
}
