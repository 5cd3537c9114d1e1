package forward_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/forward"
)

func parse(t *testing.T, rules ...string) *forward.Rules {
	t.Helper()
	s, err := forward.Parse([]byte("rules:\n  - " + strings.Join(rules, "\n  - ") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhichRuleDecides(t *testing.T) {
	t.Parallel()
	s := parse(t,
		"{host: app.example.com, path: /one}",
		"{host: '*.example.com', path: /below/*/x}",
		"{path: /tree/**, methods: [GET]}",
		"{path: /list/*, methods: [POST]}",
		"{host: '[::1]', path: /}",
		"{host: App.Example.com.:8443, path: /two}",
		"{path: /slash/}",
	)
	for _, tt := range []struct {
		method, url string
		number      int // 0 is refused
	}{
		{"GET", "https://app.example.com/one", 1},
		{"GET", "https://APP.EXAMPLE.COM.:443/one?q=/x", 1},
		{"GET", "https://www.example.com/one", 0},
		{"GET", "https://app.example.com/one/", 0},
		{"GET", "https://app.example.com/one/more", 0},
		{"PATCH", "https://a.b.example.com/below/q/x", 2},
		{"PATCH", "https://example.com/below/q/x", 0},
		{"PATCH", "https://notexample.com/below/q/x", 0},
		{"PATCH", "https://a.example.com/below/q/r/x", 0},
		{"GET", "http://any/tree", 3},
		{"HEAD", "http://any/tree/", 3},
		{"GET", "http://any/tree/a/b/c", 3},
		{"POST", "http://any/tree", 0},
		{"GET", "http://any/trees", 0},
		{"POST", "http://any/list/a", 4},
		{"POST", "http://any/list/", 0},
		{"POST", "http://any/list", 0},
		{"HEAD", "http://any/list/a", 0},
		{"GET", "http://[::1]:80", 5},
		{"GET", "http://[0:0::0001]/", 5},
		{"GET", "http://app.example.com/two", 6},
		{"GET", "http://any/slash/", 7},
		{"GET", "http://any/slash", 0},
	} {
		report, err := s.Check(tt.method, tt.url)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.url, err)
			continue
		}
		got := 0
		if n := len(report.Matches); report.Refused == "" {
			got = report.Matches[n-1].Rule.Number
		}
		if got != tt.number {
			t.Errorf("%s %s: rule %d %s, want %d", tt.method, tt.url, got, report.Refused, tt.number)
		}
	}
}

func TestHostsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http:///x", "http://a..b/", "http://.a/", "http://a b/", "http://a@b/", "http://a:b/", "http://a:99999/", "http://a:0/", "http://a:/", "http://a,b/",
		"http://[::1/", "http://[::1%eth0]/", "http://[127.0.0.1]/", "http://a%2eb/", "http://ä.example/", "http://a\x00/", "ftp://a/", "/a",
		"http://" + strings.Repeat("a", 254) + "/",
	} {
		if _, err := forward.SignedIn().Check("GET", url); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-value"
	for text, want := range map[string]string{
		"":                                      "must have one key",
		"rules:":                                "must have one key",
		"rules: []":                             "must have 1 to 1000 rules",
		"rules: {path: /}":                      "must have one key",
		"- {path: /}":                           "must have one key",
		"rules: [{path: /}]\nmore: 1":           "must have one key",
		"rules: [{path: /}]\nrules: []":         "must have one key",
		"rules: [{path: /}]\n---\nrules: []":    "one document",
		"rules: [":                              "is not YAML",
		"rules: [{path: \"" + secret:            "is not YAML",
		"\xff":                                  "is not UTF-8",
		"rules:\n- path: /\n- [" + secret + "]": "rule 2 (line 3): must be a map",
		"rules: [" + secret + "]":               "rule 1 (line 1): must be a map",
		"rules: [{path: &a /}, {path: *a}]":     "rule 2 (line 1): path: must be text",
		"rules: [{<<: {path: /}}]":              "unknown key",
		"rules: [{path: !!str /}]":              "path: must be text",
		"rules: [{}]":                           "needs a path",
		"rules: [{path: /, path: /" + secret + "}]":   "the key path is there twice",
		"rules: [{path: /, " + secret + ": x}]":       "unknown key; there are host",
		"rules: [{path: /, allows: public}]":          "unknown key allows",
		"rules: [{path: 5}]":                          "path: must be text",
		"rules: [{path: [/a]}]":                       "path: must be text",
		"rules: [{path: null}]":                       "path: must be text",
		"rules: [{path: x}]":                          "path: must be a path",
		"rules: [{path: /a//b}]":                      "path: must be a path",
		"rules: [{path: /a/../b}]":                    "path: must be a path",
		"rules: [{path: /a;b}]":                       "path: must be a path",
		"rules: [{path: /%61}]":                       "path: must be a path",
		"rules: [{path: '/a?b'}]":                     "path: must be a path",
		"rules: [{path: /a//**}]":                     "path: must be a path",
		"rules: [{path: /**/a}]":                      "* stands for a whole segment",
		"rules: [{path: /a*}]":                        "* stands for a whole segment",
		"rules: [{path: /a/***}]":                     "* stands for a whole segment",
		"rules: [{path: \"/a\uff0fb\"}]":              "some servers take for another",
		"rules: [{path: /, host: 'a*.example.com'}]":  "host: must be",
		"rules: [{path: /, host: '*'}]":               "host: must be",
		"rules: [{path: /, host: http://a}]":          "host: must be",
		"rules: [{path: /, host: ä.example}]":         "xn--",
		"rules: [{path: /, host: ''}]":                "host: must be text",
		"rules: [{path: /, methods: [get]}]":          "upper case",
		"rules: [{path: /, methods: []}]":             "must not be an empty list",
		"rules: [{path: /, methods: [1]}]":            "methods: must be text",
		"rules: [{path: /, allow: everybody}]":        "allow: must be public or signed-in",
		"rules: [{path: /, allow: true}]":             "allow: must be text",
		"rules: [{path: /, allow: public, role: a}]":  "one or the other",
		"rules: [{path: /, role: 'a b'}]":             "role: must be a name",
		"rules: [{path: /, scope: ['a,b']}]":          "scope: must be a name",
		"rules: [{path: /, fresh: 10}]":               "fresh: must be",
		"rules: [{path: /, fresh: 0s}]":               "fresh: must be",
		"rules: [{path: /, fresh: '" + secret + "'}]": "fresh: must be",
		"rules: [{path: /, audience: {a: b}}]":        "audience: must be text",
	} {
		_, err := forward.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error repeats a value: %v", text, err)
		}
	}
	_, err := forward.Parse([]byte("rules:\n- {path: x, role: ''}\n- {path: /}\n- {fresh: soon}\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all at once: %v", err)
	}
	if _, err := forward.Parse([]byte("rules:\n" + strings.Repeat("- {path: /}\n", 1001))); err == nil {
		t.Error("1001 rules are taken")
	}
	for _, deep := range []string{"[", "{a: ", "- ", "? ", "[{a: "} {
		if _, err := forward.Parse([]byte("rules:\n  " + strings.Repeat(deep, 50_000))); err == nil || !strings.Contains(err.Error(), "line 2: is nested too deeply") {
			t.Errorf("%q 50,000 times: %v", deep, err)
		}
	}
	if _, err := forward.Parse([]byte("rules: [{path: /}]" + strings.Repeat("\n", 256<<10))); err == nil {
		t.Error("a file of more than 256 KiB is taken")
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte("rules: [{path: x}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := forward.Load(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the error does not name the file: %v", err)
	}
	if _, err := forward.Load(file + ".absent"); err == nil {
		t.Error("a file that is not there is taken")
	}
	s, err := forward.Load("")
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Check("DELETE", "http://any/thing")
	if err != nil || report.Public || report.Refused != "" || len(report.Matches) != 1 {
		t.Errorf("without a file: %+v (%v)", report, err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rules []string
		want  string // of the first warning, empty for none at all
	}{
		{[]string{"{path: /api/health, allow: public}", "{path: /api/**}"}, ""},
		{[]string{"{path: /api/**, role: a}", "{path: /**}"}, ""},
		{[]string{"{path: /api/**, methods: [GET], allow: public}", "{path: /api/**}"}, ""},
		{[]string{"{path: /api/**}", "{path: /api/health, allow: public}"}, "rule 2 (line 3): /api/health: public: is never reached, because rule 1"},
		{[]string{"{path: /a, methods: [GET]}", "{path: /a, methods: [HEAD]}"}, "rule 2 (line 3): HEAD /a: signed in: is never reached"},
		{[]string{"{path: /a, methods: [HEAD]}", "{path: /a, methods: [GET]}"}, ""},
		{[]string{"{path: /a, methods: [GET]}", "{path: /a, methods: [POST]}", "{path: /a, methods: [GET, POST]}"}, "rule 3 (line 4): GET,POST /a: signed in: is never reached, because rule 2"},
		{[]string{"{path: /a, methods: [GET]}", "{path: /a, methods: [POST]}", "{path: /a}"}, ""},
		{[]string{"{path: /a, methods: [ANOTHER]}", "{path: /a}"}, ""},
		{[]string{"{path: /**}", "{path: /x/*/y, host: a.example}"}, "rule 2 (line 3): a.example/x/*/y: signed in: is never reached"},
		{[]string{"{host: '*.example.com', path: /x/**}", "{host: a.example.com, path: /x/*}"}, "rule 2"},
		{[]string{"{host: '*.example.com', path: /x}", "{host: example.com, path: /x}"}, ""},
		{[]string{"{path: /x/*, allow: public}", "{path: /x/a/**, role: admin}"}, "rule 1 (line 2): /x/*: public: lets some requests in that rule 2"},
		{[]string{"{path: /x/*, role: admin}", "{path: /x/a/**, allow: public}"}, ""},
		{[]string{"{path: /x/*, role: [a, b]}", "{path: /x/a/**, role: a}"}, "lets some requests in"},
		{[]string{"{path: /x/*, fresh: 1m}", "{path: /x/a/**, fresh: 1h}"}, ""},
		{[]string{"{path: /x/*, fresh: 1h}", "{path: /x/a/**, fresh: 1m}"}, "lets some requests in"},
		{[]string{"{path: /x/*, scope: a}", "{path: /x/a/**, scope: [a, b]}"}, "lets some requests in"},
		{[]string{"{path: /Public/**, allow: public}", "{path: /public/keys}"}, "in another spelling"},
		{[]string{"{path: /app.js, allow: public}", "{path: /app}"}, "in another spelling"},
	} {
		got := strings.Join(parse(t, tt.rules...).Warnings(), "\n")
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%q: %q, want %q", tt.rules, got, tt.want)
		}
	}
}

// FuzzParse: whatever is in the file, it is taken or refused, and what is taken can be asked.
func FuzzParse(f *testing.F) {
	f.Add("rules:\n  - {path: /x/**, role: [a, b], host: '*.example.com', methods: [GET]}\n")
	f.Add("rules: [{path: /*, allow: public}]")
	f.Add("rules:\n- path: &x /\n- *x\n")
	f.Add("{rules: [{<<: *a}]}")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := forward.Parse([]byte(text))
		if err != nil {
			return
		}
		_ = s.Warnings()
		for _, method := range []string{"GET", "POST"} {
			if _, err := s.Check(method, "https://app.example.com/x/Y.z/"); err != nil {
				t.Error(err)
			}
		}
	})
}
