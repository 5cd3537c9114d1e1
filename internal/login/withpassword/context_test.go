package withpassword

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/login"
)

func TestServiceNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, issuer, want string }{
		{"", "https://auth.example.com", "example"},
		{"", "https://example.co.uk:8443/auth", "example"},
		{"", "https://login.acme-cloud.github.io", "acmecloud|acme cloud|acme-cloud|acme_cloud"},
		{"", "https://xn--bcher-kva.example", "bücher"},
		{"", "https://auth.corp.internal", "corp"},
		{"", "http://localhost:3000", ""},
		{"", "http://app.localhost", ""},
		{"", "http://127.0.0.1:3000", ""},
		{"", "http://[::1]:3000", ""},
		{"", "http://countersign:3000", ""},
		{"", "https://co.uk", ""},
		{"", "", ""},
		{"", "://", ""},
		{"Acme", "https://auth.example.com", "acme"},
		{"Café  du-Nord", "", "cafédunord|café du nord|café-du-nord|café_du_nord"},
		{"Cafe\u0301", "", "café"},
	} {
		if diff := cmp.Diff(tt.want, strings.Join(serviceNames(tt.name, tt.issuer), "|")); diff != "" {
			t.Errorf("%q, %q (-want +got):\n%s", tt.name, tt.issuer, diff)
		}
	}
}

func TestNamesService(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, password string
		want           bool
	}{
		{"Acme", "my Acme password", true},
		{"Acme", "a-c-m-e and more", false},
		{"Acme", "pac method", false},
		{"Acme Cloud", "the ACMECLOUD and me", true},
		{"acme-cloud", "the acme cloud and me", true},
		{"Acme Cloud", "the cloud of acme", false},
		{"go", "go", true},
		{"go", "GO", true},
		{"go", "let it go, my friend", false},
		{"a b", "a b", true},
		{"a b", "a banana a-b", false},
		{"Ünïcode", "so u\u0308ni\u0308code it is", true},
	} {
		if got := namesService(fold(tt.password), serviceNames(tt.name, "")); got != tt.want {
			t.Errorf("%q in %q: %v", tt.name, tt.password, got)
		}
	}
}

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		email, password string
		want            bool
	}{
		{"michael@example.com", "michael@example.com", true},
		{"Michael@example.com", "xx MICHAEL@EXAMPLE.COM xx and much more of it", true},
		{"michael@example.com", "michael1", true},
		{"michael@example.com", "1Michael!!", true},
		{"michael@example.com", "michael1234", false},
		{"michael@example.com", "example.com", false},
		{"mi@example.com", "mi", true},
		{"mi@example.com", "smile", false},
		{"mike@bücher.example", "mike@xn--bcher-kva.example", true},
		{"mike@xn--bcher-kva.example", "mike@xn--bcher-kva.example", true},
		{"rene\u0301e@example.com", "ren\u00e9e123", true},
	} {
		address, err := login.ParseAddress(tt.email)
		if err != nil {
			t.Fatal(err)
		}
		if got := ownAddress(fold(tt.password), address); got != tt.want {
			t.Errorf("%q in %q: %v", tt.email, tt.password, got)
		}
	}
	if ownAddress("anything", login.Address{}) {
		t.Error("an address that is not known is in a password")
	}
}
