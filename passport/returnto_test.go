package passport_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/passport"
)

func TestSafeReturnTo(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"/", "/a", "/a/b/", "/a?x=//evil.example", "/a?next=https%3A%2F%2Fx%2F%0a", "/a#top", "/ä/ö?ü=1", "/a:b@c", "/.well-known/x", "/a..b/...", "/%7Euser", "/a%20b"} {
		if got, ok := passport.SafeReturnTo(good); !ok || got != good {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "a", "//evil", "///evil", `/\evil`, `\\evil`, `/a\b`, "https:evil", "https://evil", "HTTPS://evil", "javascript:alert(1)", "data:,x",
		"/%09/evil", "/\t/evil", "/\n/evil", "\t//evil", " //evil", "/..//evil", "/../x", "/a/../b", "/./x", "/a/.", "/%2e%2e/x", "/%2E./x", "/%2f/evil", "/%2fevil", "/%5cevil", "/%5Cevil",
		"/a//b", "/%0d%0aSet-Cookie:x", "/a\r\nb", "/a\x00", "/\x7f", "/a%00", "https://ok@evil", "//ok@evil", "/%252f/evil", "/%2509/evil", "/%255cevil", "/a\xff", "/?\xff",
		"/%zz", "?x", "#x", "/a?x=\\", "/a?\r", strings.Repeat("/a", 2000), "mailto:x", "//", "/\u2028//evil/../.."} {
		if _, ok := passport.SafeReturnTo(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzSafeReturnTo(f *testing.F) {
	for _, s := range []string{"/", "/a?b=c#d", "//evil", `/\evil`, "/%2f", "/..//x", "https:evil", "/\t/x"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://site.example/login")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := passport.SafeReturnTo(s)
		if !ok {
			return
		}
		// As a browser does: control bytes out, backslashes are slashes.
		seen := strings.ReplaceAll(strings.Map(func(c rune) rune {
			if c < ' ' {
				return -1
			}
			return c
		}, got), `\`, "/")
		u, err := base.Parse(seen)
		if got != s || err != nil || u.Scheme != "https" || u.Host != "site.example" || u.User != nil || strings.HasPrefix(u.Path, "//") {
			t.Errorf("%q leads to %v (%v)", s, u, err)
		}
	})
}
