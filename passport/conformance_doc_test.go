package passport_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew from the conformance table")

const docFile = "../docs/conformance.md"

// TestConformanceDoc compares docs/conformance.md with the table, and with -update writes it.
func TestConformanceDoc(t *testing.T) {
	t.Parallel()
	want := document(loadTable(t), reasons(t))
	if *update {
		if err := os.WriteFile(docFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("%s is not what the table says; run `go test ./passport -run ConformanceDoc -update` (-table +file):\n%s", docFile, diff)
	}
}

func document(rows []*tableRow, shared map[string]string) string {
	groups, same := map[string][]*tableRow{}, 0
	for _, row := range rows {
		groups[row.Why] = append(groups[row.Why], row)
	}
	same = len(groups[""])
	var b strings.Builder
	fmt.Fprintf(&b, `# Where we differ from Passport

%d requests, signatures and verifications are run on passport 0.7.0, passport-local 1.0.0, passport-jwt 4.0.1 and
jsonwebtoken 9.0.3 (Express 5, express-session) and on ours: the tables passport/testdata/conformance-*.json. %d come out
alike. %d differ on purpose, for the reasons below; where several differ for one reason, the first stands for all.

Made from the tables by `+"`go test ./passport -run ConformanceDoc -update`"+`.
`, len(rows), same, len(rows)-same)
	titles := map[string]string{"guard": "Guards", "session": "Sessions", "local": "passport-local", "jwt": "passport-jwt", "jsonwebtoken": "jsonwebtoken"}
	topic := ""
	for _, row := range rows {
		group := groups[row.Why]
		if row.Why == "" || group[0] != row {
			continue
		}
		if topic != row.topic {
			topic = row.topic
			fmt.Fprintf(&b, "\n## %s\n\n| case | Passport | ours | why |\n|---|---|---|---|\n", titles[topic])
		}
		name := row.Name
		if n := len(group) - 1; n > 0 {
			name += fmt.Sprintf(" (and %d more)", n)
		}
		reason := row.Why
		if key, ok := strings.CutPrefix(reason, "@"); ok {
			reason = shared[key]
		}
		node, ours := row.sides()
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, node, ours, strings.ReplaceAll(reason, "|", `\|`))
	}
	return b.String()
}

// sides says how the two outcomes differ, one line for each library.
func (row *tableRow) sides() (node, ours string) {
	keys := slices.Collect(maps.Keys(row.ExpectGo))
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
	both := func(key string) bool { return row.Expect[key] != nil && row.ExpectGo[key] != nil }
	var left, right []string
	for _, k := range keys {
		there, here := inWords(k, row.Expect[k]), inWords(k, row.ExpectGo[k])
		if there == here || k == "check" && !both(k) {
			continue
		}
		left, right = append(left, there), append(right, here)
	}
	return sentence(left, row.Expect), sentence(right, row.ExpectGo)
}

// rank puts the status first.
func rank(key string) string {
	if key == "status" {
		return ""
	}
	return key
}

// sentence leaves out what goes without saying beside the rest.
func sentence(parts []string, outcome object) string {
	parts = slices.DeleteFunc(parts, func(s string) bool {
		return s == "" || s == "starts" && len(parts) > 1 || s == "no challenge" && outcome["status"] != 401.0
	})
	return strings.Join(parts, ", ")
}

func inWords(key string, v any) string {
	if v == nil {
		return map[string]string{
			"session": "no session", "info": "no info", "account": "no account", "challenges": "no challenge", "refused_at_start": "starts",
			"cache": "may be cached",
		}[key]
	}
	yes := v == true
	switch key {
	case "status":
		return fmt.Sprint(v)
	case "user":
		return fmt.Sprintf("user %q", v)
	case "type", "body":
		return "" // too much for a table
	case "check":
		return fmt.Sprintf("refused for `%s`", v)
	case "hung":
		return "no answer at all"
	case "refused_at_start":
		return "does not start"
	case "challenges":
		var short []string
		for _, c := range v.([]any) {
			line, _, _ := strings.Cut(c.(string), ", error_description")
			short = append(short, "`"+strings.ReplaceAll(line, ` realm="api",`, "")+"`")
		}
		return strings.Join(short, ", ")
	case "accepted":
		return map[bool]string{true: "accepted", false: "refused"}[yes]
	case "signed":
		return map[bool]string{true: "signed", false: "not signed"}[yes]
	case "matches":
		return map[bool]string{true: "matches", false: "does not match"}[yes]
	}
	data, _ := json.Marshal(v)
	return fmt.Sprintf("%s `%s`", strings.ReplaceAll(key, "_", " "), strings.Trim(string(data), `"`))
}
