package passport_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// The conformance table: testdata/conformance-*.json. Each row describes an app, a request and what comes of it under
// Node's Passport ("expect"). Where ours differs on purpose, "expect_go" holds the members of the outcome that differ
// (null: absent) and "why" the reason, or "@name" of one in testdata/conformance.json. TestConformanceNode proves
// "expect" against the npm packages, TestConformanceGo our half.
type (
	tableRow struct {
		Name   string   `json:"name"`
		Covers []string `json:"covers,omitempty"`
		Kind   string   `json:"kind,omitempty"` // "" is a request; sign, verify, bcrypt, cancel

		Strategies []tableStrategy `json:"strategies,omitempty"`
		Guards     []tableGuard    `json:"guards,omitempty"`
		Handler    string          `json:"handler,omitempty"` // whoami
		Options    json.RawMessage `json:"handler_options,omitempty"`

		UserProperty  string   `json:"user_property,omitempty"`
		Serialize     oneOrAll `json:"serialize,omitempty"`
		Deserialize   oneOrAll `json:"deserialize,omitempty"`
		Transform     bool     `json:"transform_auth_info,omitempty"`
		Framework     bool     `json:"framework,omitempty"`
		Unuse         []string `json:"unuse,omitempty"`
		Flash         *bool    `json:"flash,omitempty"` // false: the app has no req.flash
		NoSession     bool     `json:"no_session,omitempty"`
		NoBodyParser  bool     `json:"no_body_parser,omitempty"`
		SessionBefore object   `json:"session_before,omitempty"`

		Tokens     map[string]tableToken `json:"tokens,omitempty"`
		Before     []tableRequest        `json:"before,omitempty"` // with the same cookies
		Request    *tableRequest         `json:"request,omitempty"`
		Concurrent []tableRequest        `json:"concurrent,omitempty"`

		Sign   *tableSign   `json:"sign,omitempty"`
		Verify *tableVerify `json:"verify,omitempty"`
		Bcrypt *tableBcrypt `json:"bcrypt,omitempty"`

		Expect   object `json:"expect"`
		ExpectGo object `json:"expect_go,omitempty"`
		Why      string `json:"why,omitempty"`
		// Says holds what an error's or an answer's text must contain. It is no part of the outcome: no two libraries
		// share their words.
		Says struct {
			Node string `json:"node,omitempty"`
			Go   string `json:"go,omitempty"`
		} `json:"says,omitzero"`

		topic string
	}

	tableStrategy struct {
		Type     string         `json:"type"` // local, jwt, session, base, script
		Name     string         `json:"name,omitempty"`
		Nameless bool           `json:"nameless,omitempty"`
		Options  object         `json:"options,omitempty"`
		Verify   string         `json:"verify,omitempty"`
		Key      string         `json:"key,omitempty"`
		Material string         `json:"material,omitempty"` // of the key, filled in
		Provider string         `json:"provider,omitempty"`
		Both     bool           `json:"both,omitempty"`
		Extract  any            `json:"extract,omitempty"`
		Do       string         `json:"do,omitempty"` // of a script, as are the following
		User     *string        `json:"user,omitempty"`
		Info     any            `json:"info,omitempty"`
		Ask      any            `json:"challenge,omitempty"`
		Status   int            `json:"status,omitempty"`
		URL      string         `json:"url,omitempty"`
		Go       tableGoOptions `json:"go,omitzero"`
	}

	tableGuard struct {
		Use       oneOrAll       `json:"use,omitempty"`
		Options   object         `json:"options,omitempty"`
		Callback  bool           `json:"callback,omitempty"`
		Instance  bool           `json:"instance,omitempty"`
		Authorize bool           `json:"authorize,omitempty"`
		Session   bool           `json:"session,omitempty"` // passport.session()
		Go        tableGoOptions `json:"go,omitzero"`
	}

	// tableGoOptions are the options that only ours has, for what a Passport app gets from elsewhere or not at all.
	tableGoOptions struct {
		Optional      bool   `json:"optional,omitempty"`
		Check         bool   `json:"check,omitempty"` // Guard.Check instead of Guard.Handler
		Realm         string `json:"realm,omitempty"`
		Remember      bool   `json:"remember_return_to,omitempty"`
		AllowNoExpiry bool   `json:"insecure_allow_no_expiry,omitempty"`
		AllowShort    bool   `json:"insecure_allow_short_secret,omitempty"`
		NoIssuedAt    bool   `json:"no_issued_at,omitempty"`
	}

	tableRequest struct {
		Method  string              `json:"method,omitempty"`
		Path    string              `json:"path,omitempty"`
		Headers map[string]oneOrAll `json:"headers,omitempty"`
		Form    *string             `json:"form,omitempty"`
		JSON    any                 `json:"json,omitempty"`
		Body    string              `json:"body,omitempty"`
	}

	object = map[string]any

	// oneOrAll is a string or a list of strings.
	oneOrAll []string
)

func (l *oneOrAll) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(l))
	}
	*l = oneOrAll{""}
	return json.Unmarshal(data, &(*l)[0])
}

func (l oneOrAll) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]string(l))
}

// observation is what came of a row.
type observation struct {
	Outcome     object `json:"outcome"`
	Says        string `json:"says"`
	Unavailable string `json:"unavailable"`
}

// onDemand are the members of an outcome that count only where the row names them.
var onDemand = []string{
	"type", "body", "cache", "info", "authenticated", "unauthenticated", "found_in", "old_session", "error_class", "header", "claims", "calls",
	"gives", "check", "payload_changed", "session_id",
}

// wantGo is the outcome that ours should have.
func (row *tableRow) wantGo() object {
	want := maps.Clone(row.Expect)
	for k, v := range row.ExpectGo {
		want[k] = v
		if v == nil {
			delete(want, k)
		}
	}
	return want
}

// judge compares what came of the row with what should have.
func (row *tableRow) judge(t *testing.T, side string, want object, says string, got observation) {
	t.Helper()
	have := maps.Clone(got.Outcome)
	for _, k := range onDemand {
		_, inExpect := row.Expect[k]
		_, inGo := row.ExpectGo[k]
		if !inExpect && !inGo {
			delete(have, k)
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s: %s differs from the table (-table +%s):\n%s\nit says: %.300s", row.Name, side, side, diff, got.Says)
	}
	if !strings.Contains(got.Says, says) {
		t.Errorf("%s: %s does not say %q but %q", row.Name, side, says, got.Says)
	}
}

// tableTopics are the files of the table, in the order in which they are read.
var tableTopics = []string{"guard", "session", "local", "jwt", "jsonwebtoken"}

func loadTable(t testing.TB) []*tableRow {
	t.Helper()
	var rows []*tableRow
	for _, topic := range tableTopics {
		var part []*tableRow
		strictJSON(t, "testdata/conformance-"+topic+".json", &part)
		for _, row := range part {
			row.topic = topic
		}
		rows = append(rows, part...)
	}
	for _, row := range rows {
		row.fillIn(t)
	}
	return rows
}

// reasons are those that several rows share.
func reasons(t testing.TB) map[string]string {
	var shared map[string]string
	strictJSON(t, "testdata/conformance.json", &shared)
	return shared
}

func strictJSON(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v near byte %d", name, err, dec.InputOffset())
	}
}

// TestConformanceTable checks the table itself: it is complete, and each difference is one and has its reason.
func TestConformanceTable(t *testing.T) {
	t.Parallel()
	rows, shared := loadTable(t), reasons(t)
	if files, _ := filepath.Glob("testdata/conformance-*.json"); len(files) != len(tableTopics) {
		t.Errorf("%d files of the table, %d read", len(files), len(tableTopics))
	}
	if len(rows) < 80 {
		t.Errorf("%d rows, want at least 80", len(rows))
	}
	names, covered, used := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, row := range rows {
		if row.Name == "" || names[row.Name] {
			t.Errorf("the name %q is empty or not the only one", row.Name)
		}
		names[row.Name] = true
		for _, c := range row.Covers {
			if !slices.Contains(mustCover(), c) {
				t.Errorf("%s covers %q, which is in no list", row.Name, c)
			}
			covered[c] = true
		}
		row.checkDifference(t, shared, used)
	}
	for _, c := range mustCover() {
		if !covered[c] {
			t.Errorf("no row covers %s", c)
		}
	}
	for name := range shared {
		if !used[name] {
			t.Errorf("no row has the reason @%s", name)
		}
	}
}

func (row *tableRow) checkDifference(t *testing.T, shared map[string]string, used map[string]bool) {
	t.Helper()
	if len(row.Expect) == 0 {
		t.Errorf("%s expects nothing", row.Name)
	}
	if (row.Why == "") != (len(row.ExpectGo) == 0) {
		t.Errorf("%s: a difference needs a reason, and a reason a difference", row.Name)
	}
	for k, v := range row.ExpectGo {
		if old, ok := row.Expect[k]; ok && cmp.Equal(old, v) || !ok && v == nil {
			t.Errorf("%s: expect_go repeats %q of expect", row.Name, k)
		}
	}
	if name, ok := strings.CutPrefix(row.Why, "@"); ok {
		if shared[name] == "" {
			t.Errorf("%s: there is no reason @%s", row.Name, name)
		}
		used[name] = true
	}
}

func TestConformanceGo(t *testing.T) {
	t.Parallel()
	for _, row := range loadTable(t) {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			row.judge(t, "Go", row.wantGo(), row.Says.Go, row.run(t))
		})
	}
}

func TestConformanceNode(t *testing.T) {
	t.Parallel()
	peers := need.Node(t)
	rows := loadTable(t)
	results := runNode(t, peers, rows)
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			got, ok := results[row.Name]
			switch {
			case !ok:
				t.Fatal("Node did not run this row")
			case got.Unavailable != "":
				t.Skipf("SKIPPED: the npm package %s is not among those of internal/testkit/node", got.Unavailable)
			}
			row.judge(t, "Node", row.Expect, row.Says.Node, got)
		})
	}
}

func runNode(t *testing.T, peers string, rows []*tableRow) map[string]observation {
	t.Helper()
	stdin, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/node/run.mjs")
	cmd.Env = append(os.Environ(), "PEERS="+peers, "NODE_NO_WARNINGS=1", "NODE_ENV=production")
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var results map[string]observation
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v: %.500s", err, out)
	}
	return results
}

// asJSON brings a value to the types that a table read from JSON has.
func asJSON(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprint("conformance: ", err))
	}
	var out any
	_ = json.Unmarshal(data, &out)
	return out
}
