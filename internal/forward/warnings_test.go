package forward

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everyMethod has those of the random rules, HEAD, and one that no rule names.
var everyMethod = []string{"GET", "HEAD", "POST", "PUT", "UNNAMED"}

// plainWarnings is [Rules.Warnings] by way of every method and every pair.
func plainWarnings(s *Rules) (warnings []string) {
	for i := range s.rules {
		r, by, reached := &s.rules[i], -1, false
		for _, method := range everyMethod {
			if !methods(r.Methods).match(method) {
				continue
			}
			first := slices.IndexFunc(s.rules[:i], func(other Rule) bool {
				return methods(other.Methods).match(method) && other.hosts.covers(r.hosts) && other.exact.covers(&r.exact)
			})
			by, reached = max(by, first), reached || first < 0
		}
		if !reached {
			warnings = append(warnings, fmt.Sprintf("%s: is never reached, because %s takes all its requests first", r, &s.rules[by]))
			continue
		}
		for j := range i {
			if w := plainEarlier(&s.rules[j], r); w != "" {
				warnings = append(warnings, w)
			}
		}
	}
	return warnings
}

func plainEarlier(before, r *Rule) string {
	shares := slices.ContainsFunc(everyMethod, func(method string) bool {
		return methods(before.Methods).match(method) && methods(r.Methods).match(method)
	})
	exact := before.exact.meets(&r.exact)
	loose := before.loose.meets(&r.loose) || before.bare.meets(&r.bare)
	exception := r.hosts.covers(before.hosts) && r.exact.covers(&before.exact)
	switch {
	case !shares || !before.hosts.meets(r.hosts):
	case !exact && loose && before.Public && !r.Public:
		return fmt.Sprintf("%s: lets in what some servers take for a path of %s, in another spelling", before, r)
	case exact && !exception && before.laxer(r):
		return fmt.Sprintf("%s: lets some requests in that %s would not, because it comes first", before, r)
	}
	return ""
}

// manyRules returns as many rules as there may be.
func manyRules(tb testing.TB, rule func(i int) string) *Rules {
	tb.Helper()
	var file strings.Builder
	file.WriteString("rules:\n")
	for i := range maxRules {
		file.WriteString("- {" + rule(i) + "}\n")
	}
	s, err := Parse([]byte(file.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// randomRule returns a rule that has something to do with many others, and takes everything from few.
func randomRule(r *rand.Rand) string {
	from := func(list ...string) string { return list[r.IntN(len(list))] }
	path := "/" + from("a", "b", "c", "d", "e", "f", "g", "h", "A", "H")
	for range r.IntN(4) {
		path += "/" + from("x", "y", "z", "u", "v", "w", "X", "*", "y.js")
	}
	return "path: '" + path + from("", "", "", "/**") + "'" +
		from("", ", host: a.example", ", host: '*.example'", ", host: b.a.example", ", host: '*.a.example'") +
		from("", ", methods: [GET]", ", methods: [HEAD]", ", methods: [POST, PUT]", ", methods: [PUT, GET]") +
		from("", ", allow: public", ", role: r", ", role: [r, s]", ", scope: c", ", scope: [c, d]", ", fresh: 1m", ", fresh: 1h")
}

func TestWarningsOfManyRules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := manyRules(t, func(int) string { return randomRule(r) })
		want := plainWarnings(s)
		if diff := cmp.Diff(want, s.Warnings()); diff != "" {
			t.Errorf("seed %d (-want +got):\n%s", seed, diff)
		}
		for _, kind := range []string{"is never reached", "in another spelling", "because it comes first"} {
			if !slices.ContainsFunc(want, func(w string) bool { return strings.Contains(w, kind) }) {
				t.Errorf("seed %d: no rule %s", seed, kind)
			}
		}
	}
}

func BenchmarkWarnings(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	for name, rule := range map[string]func(i int) string{
		"apart": func(i int) string { return fmt.Sprintf("path: /p%d/**, methods: [GET, POST]", i) },
		"hosts": func(i int) string { return fmt.Sprintf("host: h%d.example, path: /**", i) },
		"methods": func(i int) string {
			return fmt.Sprintf("path: /p%d", i) + []string{"", ", methods: [GET, POST, PUT]"}[i%2]
		},
		"random": func(int) string { return randomRule(r) },
	} {
		b.Run(name, func(b *testing.B) {
			s := manyRules(b, rule)
			b.ReportAllocs()
			for b.Loop() {
				s.Warnings()
			}
		})
	}
}
