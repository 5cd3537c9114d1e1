package login_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/internal/login"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, key string }{
		{"mike@example.com", "mike@example.com"},
		{"MIKE@Example.COM", "mike@example.com"},
		{"m.i+k_e!#$%&'*/=?^`{|}~-@a-b.example", "m.i+k_e!#$%&'*/=?^`{|}~-@a-b.example"},
		{"mıke@example.com", "mıke@example.com"}, // dotless i: clearly another account
		{"ÜNÏ@example.com", "ünï@example.com"},
		{"u\u0308ni\u0308@example.com", "ünï@example.com"}, // NFD
		{"a@BÜCHER.example", "a@xn--bcher-kva.example"},
		{"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"a@localhost", "a@localhost"},
		{"a@1.example", "a@1.example"},
		{"\u212aurt@example.com", "kurt@example.com"}, // Kelvin sign
		{"ａ@example.com", "a@example.com"},
		{"a@example\u3002com", "a@example.com"}, // ideographic full stop
	}
	for _, tt := range tests {
		a, err := login.ParseAddress(tt.in)
		if err != nil || a.Key != tt.key || a.Given != tt.in {
			t.Errorf("%q: got %q, %v; want %q", tt.in, a.Key, err, tt.key)
		}
	}
}

func TestNotAnAddress(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "@", "a", "@x.com", "a@", "a@b", "a@@x.com", "a@b@x.com", "a@x.com ", " a@x.com", "a b@x.com", "a@x com",
		"Foo <a@x.com>", "<a@x.com>", "a@x.com (c)", `"a b"@x.com`, `"a"@x.com`, "a@[127.0.0.1]", "a@127.0.0.1", "a@1.2.3.4",
		"a@x.com\x00", "a\x00@x.com", "a@x.com\r\nBcc: v@x.com", "a\n@x.com", "a@x.com,b@x.com", "a@x.com;b@x.com",
		".a@x.com", "a.@x.com", "a..b@x.com", "a@.x.com", "a@x..com", "a@x.com.", "a@-x.com", "a@x-.com", "a@x_y.com",
		"a@x\u200b.com", "a\u200bb@x.com", "a\u202eb@x.com", "\xff@x.com", "a@\xff.com",
		strings.Repeat("a", 65) + "@x.com", "a@" + strings.Repeat("b", 64) + ".com", "a@" + strings.Repeat("b.", 130) + "com",
	} {
		if a, err := login.ParseAddress(in); err == nil {
			t.Errorf("%q is taken as %q", in, a.Key)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"mike@example.com", "ÜNÏ@BÜCHER.example", "\u212a@x.com", "a@xn--a.com", "a@x.com\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := login.ParseAddress(s)
		if err != nil {
			return
		}
		if a.Given != s || !utf8.ValidString(a.Key) || strings.Count(a.Key, "@") != 1 || strings.ContainsAny(a.Key, " \r\n\t\x00<>,;:\"()[]\\") {
			t.Errorf("%q has the key %q", s, a.Key)
		}
		again, err := login.ParseAddress(a.Key)
		if err != nil || again.Key != a.Key {
			t.Errorf("the key %q of %q has the key %q (%v)", a.Key, s, again.Key, err)
		}
		upper, lower := strings.ToUpper(s), strings.ToLower(s)
		if b, err := login.ParseAddress(upper); err == nil && strings.ToLower(upper) == lower && b.Key != a.Key {
			t.Errorf("%q and %q have the keys %q and %q", s, upper, a.Key, b.Key)
		}
	})
}

func TestPrefixKey(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"":                    "",
		"Mi":                  "mi",
		"Mike@Ex":             "mike@ex",
		"Mike@Example.com":    "mike@example.com",
		"mike@B\u00fccher.de": "mike@xn--bcher-kva.de",
		"\uff2dike":           "mike", // fullwidth
		"\u212aate":           "kate", // the Kelvin sign
		"no address":          "no address",
		"@EXAMPLE.com":        "@example.com",
		"\xff":                "\ufffd",
	} {
		if got := login.PrefixKey(prefix); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
}
