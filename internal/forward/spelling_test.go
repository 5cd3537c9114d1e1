package forward

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSpell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ raw, exact, loose, bare, cut string }{
		{"/", "/", "/", "/", ""},
		{"/a/b-c_1", "/a/b-c_1", "/a/b-c_1", "/a/b-c_1", ""},
		{"/%61dmin", "/admin", "/admin", "/admin", ""},
		{"/Admin/", "/Admin/", "/admin", "/admin", ""},
		{"/admin;v=1/x;y", "/admin;v=1/x;y", "/admin/x", "/admin/x", "/admin"},
		{"/admin%3Bx", "/admin;x", "/admin", "/admin", "/admin"},
		{"/Users/7;x/y;z", "/Users/7;x/y;z", "/users/7/y", "/users/7/y", "/users/7"},
		{"/a%EF%BC%9Bb/c", "/a；b/c", "/a/c", "/a/c", "/a"},
		{"/a.json", "/a.json", "/a.json", "/a", ""},
		{"/v1.2/x", "/v1.2/x", "/v1.2/x", "/v1.2/x", ""},
		{"/.well-known/x", "/.well-known/x", "/.well-known/x", "/.well-known/x", ""},
		{"/items(1)", "/items(1)", "/items(1)", "/items(1)", ""},
		{"/users:batch", "/users:batch", "/users:batch", "/users:batch", ""},
		{"/.env", "/.env", "/.env", "/.env", ""},
		{"/admin.", "/admin.", "/admin", "/admin", ""},
		{"/admin%20", "/admin ", "/admin", "/admin", ""},
		{"/100%25", "/100%", "/100%", "/100%", ""},
		{"/%E2%84%AAey", "/\u212aey", "/key", "/key", ""},
		{"/adm%C4%B1n", "/admın", "/admin", "/admin", ""},
		{"/%EF%BD%81dmin", "/ａdmin", "/admin", "/admin", ""},
		{"/ad%E2%80%8Bmin", "/ad\u200bmin", "/admin", "/admin", ""},
		{"/pa%C3%9F", "/paß", "/pass", "/pass", ""},
	} {
		got, ok := spell(tt.raw)
		if want := (spelling{tt.exact, tt.loose, tt.bare, tt.cut}); !ok || got != want {
			t.Errorf("%s: %q %v, want %q", tt.raw, got, ok, want)
		}
	}
}

func TestPathsThatAreNotPlain(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "*", "admin", "http://x/admin", "//admin", "/a//b", "/./admin", "/a/../admin", "/a/..", "/.", "/%2e/admin", "/a/%2E%2e/admin",
		"/a/.%2e/admin", "/..;/admin", "/a/..;x=y/admin", "/;x/admin", "/a/;/b", "/.../admin", "/%20/admin", "/a/. /b", "/a/.%20/b",
		"/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00", "/a%0a", "/a%0d%0aX:y", "/a%7f", "/a\x00", "/a\tb", "/a b",
		"/a%", "/a%2", "/a%zz", "/a%u0061", "/%2561dmin", "/a%252fb", "/a%25u0061", "/a%3fb", "/a%23b", "/a#b",
		"/a%c0%afb", "/a%ff", "/%e0%80%ae", "/caf\xc3\xa9", "/a%EF%BC%8Fb", "/a/%EF%BC%8E%EF%BC%8E/b", "/a/%E2%80%A5/b", "/a%EF%BC%BCb",
		"/(S(abc))/admin", "/a/(X(1)F(2))/b", "/%28S%28abc%29%29/admin", "/admin::$DATA", "/admin:$i30:$INDEX_ALLOCATION/b", "/a%C2%A5b", "/a%E2%82%A9b",
		"/A" + strings.Repeat("/a", maxPath/2),
		"/a%E2%88%95b", "/a%C2%85", "/a%E2%80%A8b", "/a%EF%BF%BDb", "/%EF%BC%8561dmin", "/a/%E2%80%8B/b", "/a/%E2%80%8B../b",
	} {
		if got, ok := spell(raw); ok {
			t.Errorf("%q is taken for %q", raw, got)
		}
	}
}

// segmentsOf are what rules and paths of the tests are made of, in the spelling that rules should have.
var segmentsOf = []string{"admin", "users", "a", "b", "kiosk", "pass", "v1.2", "über", "x-1"}

// randomRules makes rules as an operator writes them: in one spelling.
func randomRules(rnd *rand.Rand) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for range 1 + rnd.IntN(6) {
		path := ""
		for range rnd.IntN(3) {
			path += "/" + segmentsOf[rnd.IntN(len(segmentsOf))]
		}
		path += []string{"", "/*", "/**"}[rnd.IntN(3)]
		if path == "" {
			path = "/"
		}
		demand := []string{"allow: public", "allow: signed-in", "role: editor", "role: admin", "scope: s", "role: [admin, editor], fresh: 5m"}[rnd.IntN(6)]
		method := []string{"", ", methods: [GET]", ", methods: [POST, PUT]"}[rnd.IntN(3)]
		fmt.Fprintf(&b, "  - {path: %q, %s%s}\n", path, demand, method)
	}
	if rnd.IntN(4) > 0 {
		b.WriteString([]string{"  - {path: /**, allow: public}\n", "  - {path: /**}\n", "  - {path: /**, scope: s}\n"}[rnd.IntN(3)])
	}
	return b.String()
}

// variants spell a path anew, each in a way that some server does not see.
var variants = []func(rnd *rand.Rand, path string) string{
	func(_ *rand.Rand, p string) string { return strings.ToUpper(p) },
	func(rnd *rand.Rand, p string) string { // case of single letters
		b := []byte(p)
		if i := rnd.IntN(len(b)); 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
		return string(b)
	},
	func(_ *rand.Rand, p string) string { return p + "/" },
	func(_ *rand.Rand, p string) string { return p + "." },
	func(_ *rand.Rand, p string) string { return p + " " },
	func(_ *rand.Rand, p string) string { return p + ";jsessionid=1" },
	func(_ *rand.Rand, p string) string { return p + ";x/y" },
	func(_ *rand.Rand, p string) string { return strings.TrimRight(p, "/") + ".json" },
	func(_ *rand.Rand, p string) string { return strings.Replace(p, "/", "/./", 1) },
	func(_ *rand.Rand, p string) string { return "/x/.." + p },
	func(_ *rand.Rand, p string) string { return "/x/..;" + p },
	func(_ *rand.Rand, p string) string { return "/" + p },
	func(_ *rand.Rand, p string) string { return "/;x" + p },
	func(_ *rand.Rand, p string) string {
		return strings.TrimPrefix(strings.ReplaceAll(p, "/", ";a=b/"), ";a=b") + ";c"
	},
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "k", "\u212a") },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "s", "\u017f") },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "i", "\u0131") },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "a", "\uff41") },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "ü", "u\u0308") },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "ss", "ß") },
	func(_ *rand.Rand, p string) string { return strings.Replace(p, "a", "a\u200b", 1) },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "/", `\`) },
	func(_ *rand.Rand, p string) string { return strings.ReplaceAll(p, "/", "\uff0f") },
}

// encode writes a path as it stands in a request line, with some characters encoded that need not be.
func encode(rnd *rand.Rand, path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if c <= ' ' || c >= 0x7f || c == '%' || c == '\\' || c != '/' && rnd.IntN(4) == 0 {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// weaker reports whether somebody may be let in by got who is not by want.
func weaker(got, want []Match) bool {
	if isPublic(got) {
		return !isPublic(want)
	}
	for _, w := range want {
		if w.Rule.Public {
			continue
		}
		met := false
		for _, g := range got {
			met = met || g.Rule == w.Rule
		}
		if !met {
			return true
		}
	}
	return false
}

// No spelling of a path is let in with less than the path itself demands, of whatever rules an operator writes.
func TestNoSpellingDodgesARule(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	compared := 0
	for range 20_000 {
		text := randomRules(rnd)
		rules, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		path := ""
		for range 1 + rnd.IntN(3) {
			path += "/" + segmentsOf[rnd.IntN(len(segmentsOf))]
		}
		compared += dodge(t, rnd, rules, text, path)
	}
	if compared < 5_000 {
		t.Errorf("only %d spellings were let in at all: this tests too little", compared)
	}
}

// dodge tries a path in another spelling, and returns 1 when the rules say anything of that.
func dodge(t *testing.T, rnd *rand.Rand, rules *Rules, text, path string) int {
	t.Helper()
	method := []string{"GET", "HEAD", "POST", "DELETE"}[rnd.IntN(4)]
	straight, ok := spell(encode(rnd, path))
	if !ok {
		t.Fatalf("%q is not plain", path)
	}
	want := rules.match(method, "h", &straight, nil)
	other := path
	for range 1 + rnd.IntN(3) {
		other = variants[rnd.IntN(len(variants))](rnd, other)
	}
	spelled, ok := spell(encode(rnd, other))
	if !ok {
		return 0
	}
	got := rules.match(method, "h", &spelled, nil)
	if !decided(got) {
		return 0
	}
	if weaker(got, want) {
		t.Fatalf("%s %q is let in with less than %q\n%s", method, other, path, text)
	}
	return 1
}

func FuzzNoSpellingDodgesARule(f *testing.F) {
	f.Add(uint64(1), "admin/users")
	f.Add(uint64(7), "a")
	f.Fuzz(func(t *testing.T, seed uint64, more string) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		text := randomRules(rnd)
		rules, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		path := "/" + segmentsOf[rnd.IntN(len(segmentsOf))] + "/" + more
		straight, ok := spell(encode(rnd, path))
		if !ok || !straight.plain() { // not as anybody would write a rule
			return
		}
		dodge(t, rnd, rules, text, path)
	})
}

// FuzzSpell: what is taken is plain, its loose forms are their own, and the shortcut says what the long way does.
func FuzzSpell(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/A;x/%2e", "/%61", "/ﬁ", "/a.B."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, ok := spell(raw)
		if !ok {
			return
		}
		if strings.Contains(s.exact, "//") || strings.ContainsAny(s.exact, "\\?#\x00") || s.exact[0] != '/' {
			t.Errorf("%q: %q is not plain", raw, s.exact)
		}
		again, ok := loosen(s.loose)
		if !ok || again != s.loose {
			t.Errorf("%q: %q is not loose, its form is %q", raw, s.loose, again)
		}
		if isSimple(raw) && (s.exact != raw || s.loose != raw || s.bare != raw) {
			t.Errorf("%q is simple and becomes %q", raw, s)
		}
		if exact, ok := decode(raw); isSimple(raw) && (!ok || exact != raw || !hasNames(exact) || withoutExtension(raw) != raw) {
			t.Errorf("the shortcut takes %q", raw)
		}
	})
}
