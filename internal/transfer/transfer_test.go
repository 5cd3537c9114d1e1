package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/transfer"
)

// imported is a user whom an import must have made.
type imported struct {
	id, email string
	// password logs them in; a user without one has none.
	password    string
	disabled    bool
	roles       []string
	data, admin string
	created     string
}

// run imports a dump into the store of a server.
func run(t *testing.T, s *testkit.Server, system, file string, change func(*transfer.Config)) (transfer.Summary, []transfer.Skipped, error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return runDump(t, t.Context(), s.App.Store, system, transfer.Dump{Name: file, Reader: f}, change)
}

func runDump(t *testing.T, ctx context.Context, into store.Store, system string, d transfer.Dump, change func(*transfer.Config)) (transfer.Summary, []transfer.Skipped, error) {
	t.Helper()
	systems := transfer.Systems()
	at := slices.IndexFunc(systems, func(s transfer.System) bool { return s.Name == system })
	if at < 0 {
		t.Fatalf("no system %s", system)
	}
	var skipped []transfer.Skipped
	cfg := transfer.Config{
		System: systems[at], Dump: d, Store: into, Now: time.Now,
		Options:  transfer.Options{Model: "auth.user", Collection: "users"},
		Skipped:  func(s transfer.Skipped) error { skipped = append(skipped, s); return nil },
		Progress: func(transfer.Summary) {},
	}
	if change != nil {
		change(&cfg)
	}
	summary, err := transfer.Import(ctx, cfg)
	return summary, skipped, err
}

// codes returns where records were skipped, and why.
func codes(skipped []transfer.Skipped) (list []string) {
	for _, s := range skipped {
		list = append(list, strings.TrimSpace(s.Place+": "+string(s.Reason)+" "+s.Detail))
	}
	return list
}

func TestDumpsOfOtherSystems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		system, file string
		options      *transfer.Options
		users        []imported
		skipped      []string
		left         []string
	}{
		{
			system: "mongoexport", file: "mongoexport.jsonl",
			users: []imported{
				{id: "5c0a7922c9d89830f4911426", email: "mike@example.com", password: "correct-horse", created: "2018-12-07T13:44:02Z"},
				{id: "5c0a7922c9d89830f4911427", email: "Jane@Example.com", password: "battery-staple", created: "2019-01-02T03:04:05.678Z"},
				{id: "5c0a7922c9d89830f4911428", email: "long@example.com", password: strings.Repeat("l", 80)},
			},
			skipped: []string{
				"line 4: address_taken by 5c0a7922c9d89830f4911426", "line 5: address_invalid", "line 6: hash_unknown", "line 7: address_missing",
				"line 8: hash_parameters", "line 9: record_invalid email is no text",
			},
			left: []string{"__v"},
		},
		{
			system: "mongoexport", file: "mongoexport-array.json",
			users: []imported{
				{id: "5c0a7922c9d89830f4911426", email: "mike@example.com", password: "correct-horse", created: "2019-01-02T03:04:05.678Z"},
				{id: "7", email: "jane@example.com", password: "battery-staple"},
				{id: "5ee5f32e-456a-4ccc-93ef-3199765c4101", email: "uuid@example.com", password: "correct-horse"},
			},
			left: []string{"__v"},
		},
		{system: "supabase", file: "supabase.csv", users: supabaseUsers, left: supabaseLeft, skipped: []string{"line 5: deleted", "line 7: address_missing"}},
		{system: "supabase", file: "supabase.json", users: supabaseUsers, left: supabaseLeft, skipped: []string{"line 4: deleted", "line 6: address_missing"}},
		{system: "pocketbase", file: "pocketbase.db", users: pocketBaseUsers, left: []string{"avatar", "emailVisibility", "tokenKey"}},
		{system: "pocketbase", file: "pocketbase.json", users: pocketBaseUsers, left: []string{"avatar", "emailVisibility", "tokenKey"}},
		{
			system: "django", file: "django.json", options: &transfer.Options{Model: "auth.user"}, users: djangoUsers,
			skipped: []string{"line 1: hash_unknown", "line 1: address_missing"},
			left:    []string{"last_login", "user_permissions"},
		},
		{
			system: "django", file: "django.jsonl", options: &transfer.Options{Model: "auth.user", Domain: "example.org"},
			users:   append(slices.Clone(djangoUsers), imported{id: "7", email: "nomail@example.org", password: "correct-horse", admin: `{"username":"nomail"}`}),
			skipped: []string{"line 6: hash_unknown"},
			left:    []string{"last_login", "user_permissions"},
		},
		{
			system: "auth0", file: "auth0.ndjson",
			users: []imported{
				{id: "auth0|euclid", email: "mike@example.com", password: "correct-horse", admin: `{"email_verified":false}`, created: "2019-12-06T18:36:12Z"},
				{id: "auth0|5dea9f9c82dd7c0e76e4ec94", email: "jane@example.com", password: "battery-staple", admin: `{"email_verified":true}`},
				{id: "auth0|583c3ac3f38e84297c002546", email: "blocked@example.com", password: "correct-horse", disabled: true, data: `{"theme":"light"}`, admin: `{"plan":"full","username":"blocky","email_verified":true}`, created: "2016-11-28T14:07:15.123Z"},
				{id: "auth0|583c3ac3f38e84297c002548", email: "custom@example.com", password: "battery-staple"},
				{id: "google-oauth2|103547991597142817347", email: "google@example.com", admin: `{"email_verified":true}`},
			},
			skipped: []string{"line 4: hash_unverified custom_password_hash: md5"},
			left:    []string{"_tmp_is_unique", "connection", "password_set_date", "tenant"},
		},
		{
			system: "keycloak", file: "keycloak.json",
			users: []imported{
				{id: "98975e4d-4751-4360-97bd-c7be389eefd1", email: "test1@example.com", password: "password1", roles: []string{"editor"}, data: `{"first_name":"foo1","last_name":"bar1"}`, admin: `{"username":"test1","attributes":{"plan":["gold"]},"groups":["/staff"],"realm_roles":["App Admin"],"client_roles":{"account":["view-profile"]},"email_verified":true}`, created: "2025-05-18T04:32:55.755Z"},
				{id: "98975e4d-4751-4360-97bd-c7be389eefd2", email: "user1@example.com", password: "user1", admin: `{"username":"user1@example.com","email_verified":false}`},
				{id: "98975e4d-4751-4360-97bd-c7be389eefd3", email: "solo@example.com", password: "password", admin: `{"username":"solo","email_verified":true}`},
				{id: "98975e4d-4751-4360-97bd-c7be389eefd4", email: "sha512@example.com", password: "correct-horse", admin: `{"username":"sha512","required_actions":["UPDATE_PASSWORD"],"email_verified":true}`},
				{id: "98975e4d-4751-4360-97bd-c7be389eefd5", email: "jane@example.com", password: "secret", disabled: true, admin: `{"username":"jane.doe","email_verified":true}`},
				{id: "98975e4d-4751-4360-97bd-c7be389eefd8", email: "federated@example.com", admin: `{"username":"federated","email_verified":true}`},
			},
			skipped: []string{"line 180: no_person a service account", "line 199: hash_unverified md5-crypt"},
			left:    []string{"credentials of the type otp", "disableableCredentialTypes", "federatedIdentities", "notBefore", "totp"},
		},
		{
			system: "htpasswd", file: "htpasswd", options: &transfer.Options{Domain: "example.org"},
			users: []imported{
				{email: "mike@example.com", password: "correct-horse"},
				{email: "jane@example.org", password: "battery-staple"},
				{email: "apr1@example.com", password: "correct-horse"},
				{email: "sha512@example.com", password: "correct-horse"},
			},
			skipped: []string{"line 4: hash_unverified ldap-sha, without salt", "line 5: hash_unknown"},
		},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, "limits.insecure_disabled=true")
			options := func(cfg *transfer.Config) {
				if tt.options != nil {
					cfg.Options = *tt.options
				}
			}
			summary, skipped, err := run(t, s, tt.system, filepath.Join("testdata", tt.file), options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.skipped, codes(skipped)); diff != "" {
				t.Errorf("skipped: %s", diff)
			}
			if diff := cmp.Diff(tt.left, summary.FieldsLeft); diff != "" {
				t.Errorf("fields left: %s", diff)
			}
			if summary.Imported != len(tt.users) || summary.SkippedTotal() != len(tt.skipped) || summary.Read != len(tt.users)+len(tt.skipped) || summary.There != 0 {
				t.Errorf("%+v", summary)
			}
			for _, want := range tt.users {
				check(t, s, want)
			}
			// The same once more changes nothing.
			before := accounts(t, s.App.Store)
			again, _, err := run(t, s, tt.system, filepath.Join("testdata", tt.file), options)
			if err != nil || again.Imported != 0 || again.There != len(tt.users) || again.SkippedTotal() != len(tt.skipped) {
				t.Errorf("the second time: %+v (%v)", again, err)
			}
			if diff := cmp.Diff(before, accounts(t, s.App.Store)); diff != "" {
				t.Errorf("the second time has changed: %s", diff)
			}
		})
	}
}

var (
	supabaseUsers = []imported{
		{id: "5f0f4a2e-0d4c-4f5e-9a39-0b7c2a1d0001", email: "mike@example.com", password: "correct-horse", data: `{"n":1.50,"name":"Mike, \"the\" user"}`, admin: `{"provider":"email","providers":["email"],"email_verified":true}`, created: "2023-05-06T07:08:09.123456Z"},
		{id: "5f0f4a2e-0d4c-4f5e-9a39-0b7c2a1d0002", email: "banned@example.com", password: "correct-horse", disabled: true, admin: `{"provider":"email","providers":["email"],"email_verified":true}`},
		{id: "5f0f4a2e-0d4c-4f5e-9a39-0b7c2a1d0003", email: "free@example.com", password: "correct-horse", admin: `{"provider":"email","providers":["email"],"email_verified":false}`},
		{id: "5f0f4a2e-0d4c-4f5e-9a39-0b7c2a1d0005", email: "oauth@example.com", data: `{"avatar_url":"https://example.com/a.png"}`, admin: `{"provider":"github","providers":["github"],"email_verified":true}`},
	}
	supabaseLeft = []string{
		"aud", "confirmation_sent_at", "confirmation_token", "confirmed_at", "email_change", "email_change_confirm_status",
		"email_change_sent_at", "email_change_token_current", "email_change_token_new", "instance_id", "invited_at", "is_anonymous",
		"is_sso_user", "is_super_admin", "last_sign_in_at", "phone", "phone_change", "phone_change_sent_at", "phone_change_token",
		"phone_confirmed_at", "reauthentication_sent_at", "reauthentication_token", "recovery_sent_at", "recovery_token", "role",
	}
	pocketBaseUsers = []imported{
		{id: "s35nmerem2c05f1", email: "mike@example.com", password: "correct-horse", data: `{"name":"Mike"}`, admin: `{"email_verified":true}`, created: "2026-11-25T01:29:32.833Z"},
		{id: "ib1kui00prrtgbo", email: "Jane@Example.com", password: "battery-staple", data: `{"name":"Jané"}`, admin: `{"email_verified":false}`},
	}
	djangoUsers = []imported{
		{id: "1", email: "Mike@example.com", password: "correct-horse", roles: []string{"staff", "superuser"}, data: `{"first_name":"Mike","last_name":"Ö"}`, admin: `{"username":"mike","groups":[1]}`, created: "2021-03-04T05:06:07.89Z"},
		{id: "2", email: "jane@example.com", password: "battery-staple", admin: `{"username":"jane"}`},
		{id: "3", email: "bob@example.com", password: "pass with space", admin: `{"username":"bob@example.com"}`},
		{id: "4", email: "off@example.com", password: "correct-horse", disabled: true, admin: `{"username":"off"}`},
		{id: "5", email: "nopw@example.com", admin: `{"username":"nopw"}`},
	}
)

// check looks at a user who was imported, logs them in, and sees to it that their hash is renewed.
func check(t *testing.T, s *testkit.Server, want imported) {
	t.Helper()
	u, err := s.App.Store.UserByEmail(t.Context(), strings.ToLower(want.email))
	if err != nil {
		t.Errorf("%s: %v", want.email, err)
		return
	}
	got := imported{id: u.ID, email: u.Email, password: want.password, disabled: u.Disabled(), roles: u.Roles, data: string(u.Data), admin: string(u.AdminData)}
	if want.created != "" {
		got.created = u.CreatedAt.Format(time.RFC3339Nano)
	}
	if want.id == "" {
		got.id = ""
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(imported{})); diff != "" {
		t.Errorf("%s: %s", want.email, diff)
	}
	if u.Version != 1 || u.Epoch == "" || u.ID == "" {
		t.Errorf("%s: version %d, epoch %q, id %q", want.email, u.Version, u.Epoch, u.ID)
	}
	checkLogin(t, s, u, want.password)
}

func checkLogin(t *testing.T, s *testkit.Server, u store.User, password string) {
	t.Helper()
	c, err := s.App.Store.Credential(t.Context(), withpassword.Method, u.EmailKey)
	if password == "" {
		if err == nil {
			t.Errorf("%s has a credential without a password", u.Email)
		}
		return
	}
	if err != nil || !strings.Contains(string(c.Data), `"imported":true`) {
		t.Errorf("%s: credential %v", u.Email, err)
		return
	}
	if res := s.Form(t, "/login", "email", u.Email, "password", "x"+password); res.Status != http.StatusUnauthorized {
		t.Errorf("%s: a wrong password: %d", u.Email, res.Status)
	}
	want := http.StatusOK
	if u.Disabled() {
		want = http.StatusUnauthorized
	}
	if res := s.Form(t, "/login", "email", u.Email, "password", password); res.Status != want {
		t.Errorf("%s: %d %s", u.Email, res.Status, res.Body)
	}
	if u.Disabled() {
		return
	}
	c, err = s.App.Store.Credential(t.Context(), withpassword.Method, u.EmailKey)
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Hash     string
		Imported bool
	}
	if err := json.Unmarshal(c.Data, &data); err != nil {
		t.Fatal(err)
	}
	format := "$2b$04$"
	if len(password) > 72 {
		format = "$argon2id$"
	}
	if data.Imported || !strings.HasPrefix(data.Hash, format) || c.Version != 2 {
		t.Errorf("%s: the hash is not renewed: imported %v, version %d", u.Email, data.Imported, c.Version)
	}
	if res := s.Form(t, "/login", "email", u.Email, "password", password); res.Status != http.StatusOK {
		t.Errorf("%s, with the new hash: %d %s", u.Email, res.Status, res.Body)
	}
}

func accounts(t *testing.T, s store.Store) []store.Account {
	t.Helper()
	list, err := s.Accounts(context.Background(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAnImportThatWasEndedGoesOn ends an import behind each of its batches, and begins it again.
func TestAnImportThatWasEndedGoesOn(t *testing.T) {
	t.Parallel()
	const users = 1600 // three batches and a bit
	var dump strings.Builder
	for i := range users {
		fmt.Fprintf(&dump, `{"id":"u%d","email":"user%d@example.com","hash":"$2b$10$TnLefm6.RdWLDcdD8cT9juu2eWGJkbIcS.7HrQRfOsxpVQcuqCqsa"}`+"\n", i, i)
	}
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var before []store.Account
	for run := 1; run <= 4; run++ {
		ctx, end := context.WithCancel(t.Context())
		batches := 0
		_, _, err := runDump(t, ctx, s, "jsonl", transfer.Dump{Reader: strings.NewReader(dump.String())}, func(cfg *transfer.Config) {
			cfg.Progress = func(transfer.Summary) {
				if batches++; batches == run {
					end()
				}
			}
		})
		if run < 4 && !errors.Is(err, context.Canceled) || run == 4 && err != nil {
			t.Errorf("run %d: %v", run, err)
		}
		end()
		now, err := s.Accounts(t.Context(), "", users+1)
		if err != nil || len(now) != min(500*run, users) {
			t.Fatalf("run %d: %d users (%v)", run, len(now), err)
		}
		for _, a := range before {
			if !slices.ContainsFunc(now, func(b store.Account) bool { return cmp.Equal(a, b) }) {
				t.Fatalf("run %d: %s is another", run, a.User.ID)
			}
		}
		before = now[:min(len(now), 50)]
	}
}

// TestWhatCannotBeAUser has what the dumps of other systems do not: it comes from the mapped formats.
func TestWhatCannotBeAUser(t *testing.T) {
	t.Parallel()
	const hash = `"hash":"$2b$10$TnLefm6.RdWLDcdD8cT9juu2eWGJkbIcS.7HrQRfOsxpVQcuqCqsa"`
	lines := []struct{ record, want string }{
		{`{"id":"1","email":"a@example.com",` + hash + `}`, ""},
		{`{"id":"` + strings.Repeat("x", 256) + `","email":"b@example.com"}`, "id_invalid"},
		{`{"id":"a\u0000b","email":"b@example.com"}`, "id_invalid"},
		{`{"id":"a\u001b[2Jb","email":"b@example.com"}`, "id_invalid"},
		{`{"id":"2","email":"b@example.com","data":{"x":"` + strings.Repeat("y", 8200) + `"}}`, "data_too_large data"},
		{`{"id":"2","email":"b@example.com","admin_data":"{\"a\":1,\"a\":2}"}`, "record_invalid admin_data is no JSON object"},
		{`{"id":"2","email":"b@example.com","data":[]}`, "record_invalid data is no JSON object"},
		{`{"id":"2","email":"b@example.com","data":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`, "data_invalid data"},
		{`{"id":"2","email":"b@example.com","roles":["Admin"]}`, "roles_invalid"},
		{`{"id":"2","email":"b@example.com","roles":7}`, "record_invalid roles is no list of texts"},
		{`{"id":"2","email":"b@example.com","disabled":"perhaps"}`, "record_invalid disabled is no truth value"},
		{`{"id":"2","email":"b@example.com","created_at":"yesterday"}`, "record_invalid created_at is no time"},
		{`{"id":"2","email":"b@example.com","created_at":"0001-01-01T00:00:00Z"}`, "record_invalid created_at is no time since 1970"},
		{`{"id":{"$ref":"x"},"email":"b@example.com"}`, "record_invalid id is no text"},
		{`{"id":"2","email":"Ａ@example.com"}`, "address_taken by 1"}, // a fullwidth letter
		{`{"id":"2","email":"a@b@example.com"}`, "address_invalid"},
		{`{"id":"2","email":"b@example.com","hash":"$2b$10$TnLefm6"}`, "hash_unknown"},
		{`{"id":"2","email":"b@example.com","hash":"$argon2id$v=19$m=8388608,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo"}`, "hash_parameters"},
		{`{"id":"2","email":"b@example.com","hash":"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC"}`, "hash_unverified yescrypt"},
		{`{"id":1e3,"email":"b@example.com","created_at":1546398245678,"roles":"a, b,a","disabled":0,"data":{},"verified":"t"}`, ""},
	}
	s := testkit.Start(t)
	var dump strings.Builder
	for _, l := range lines {
		dump.WriteString(l.record + "\n")
	}
	summary, skipped, err := runDump(t, t.Context(), s.App.Store, "jsonl", transfer.Dump{Reader: strings.NewReader(dump.String())}, nil)
	if err != nil || summary.Imported != 2 {
		t.Errorf("%+v (%v)", summary, err)
	}
	var want []string
	for i, l := range lines {
		if l.want != "" {
			want = append(want, fmt.Sprintf("line %d: %s", i+1, l.want))
		}
	}
	if diff := cmp.Diff(want, codes(skipped)); diff != "" {
		t.Error(diff)
	}
	u, err := s.App.Store.User(t.Context(), "1e3")
	if err != nil || !slices.Equal(u.Roles, []string{"a", "b"}) || u.Data != nil || string(u.AdminData) != `{"email_verified":true}` || u.Disabled() ||
		!u.CreatedAt.Equal(time.UnixMilli(1546398245678)) {
		t.Errorf("%+v (%v)", u, err)
	}
}
