package app_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"golang.org/x/crypto/bcrypt"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
)

// earlierDatabase makes a database as the version before sessions and sealing left it: with its schema, a user
// mike@example.com of [testkit.Password], and the secrets in the clear, which it returns: the root key and the private half of
// the signing key.
func earlierDatabase(t testing.TB, dir string) (root, der []byte) {
	t.Helper()
	path := filepath.Join(dir, "countersign.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	migrations, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../store/sqlstore/migrations/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.UpTo(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "old"})
	if err != nil {
		t.Fatal(err)
	}
	if der, err = key.MarshalPKCS8(); err != nil {
		t.Fatal(err)
	}
	root = make([]byte, 32)
	_, _ = rand.Read(root)
	hash, err := bcrypt.GenerateFromPassword([]byte(testkit.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := json.Marshal(map[string]string{"hash": string(hash)})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		statement string
		args      []any
	}{
		{"INSERT INTO signing_keys (id, algorithm, private, created_at) VALUES ('old', 'ES256', $1, $2)", []any{der, time.Now().UnixMicro()}},
		{"INSERT INTO secrets (name, value) VALUES ('root', $1)", []any{root}},
		{"INSERT INTO users (id, email, email_key, created_at, updated_at, version) VALUES ('mike', 'Mike@example.com', 'mike@example.com', 1, 1, 1)", nil},
		{"INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version) VALUES ('password', 'mike@example.com', 'mike', $1, 1, 1, 1)", []any{credential}},
	} {
		if _, err := db.ExecContext(t.Context(), row.statement, row.args...); err != nil {
			t.Fatal(err)
		}
	}
	return root, der
}

// watchdog ends the tests when this one has not ended by then, and shows where it hangs.
func watchdog(t testing.TB, after time.Duration) {
	t.Helper()
	timer := time.AfterFunc(after, func() {
		debug.SetTraceback("all")
		panic(t.Name() + " hangs")
	})
	t.Cleanup(func() { timer.Stop() })
}

// TestUpgrade starts the server on a database of the version before sessions and sealing, also while somebody reads that.
// Users log in, and tokens of before go on being good.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	watchdog(t, time.Minute)
	for name, beside := range map[string]func(testing.TB, string) (end func()){
		"alone":           func(testing.TB, string) func() { return func() {} },
		"beside a reader": reading,
	} {
		dir := t.TempDir()
		_, der := earlierDatabase(t, dir)
		end := beside(t, dir)
		s := testkit.Start(t, "data="+dir)
		if res := s.Do(t, s.Request(t, http.MethodGet, "/healthz", "")); res.Status != http.StatusOK {
			t.Errorf("%s: health: %d %s", name, res.Status, res.Body)
		}
		p := logIn(t, s, "mike@example.com")
		if s.Profile(t, p.access).Get("user", "_id") != "mike" || epochOf(t, p) == "" {
			t.Errorf("%s: the new token says %s", name, claimsOf(t, p.access))
		}
		wantAlive(t, s, p, name)

		key, err := jwt.ParsePKCS8(jwt.ES256, der, jwt.KeyOptions{ID: "old"})
		if err != nil {
			t.Fatal(err)
		}
		now := s.Clock.Now()
		old, err := jwt.Sign(key, "at+jwt", jwt.Claims{
			Issuer: s.URL, Subject: "mike", Audience: []string{s.URL}, ID: "j", IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute),
			Extra: map[string]any{"sid": "s", "user": map[string]string{"_id": "mike", "email": "Mike@example.com"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if res := s.Profile(t, old); res.Status != http.StatusOK || res.Get("user", "_id") != "mike" {
			t.Errorf("%s: the token of before: %d %s", name, res.Status, res.Body)
		}
		if res := s.Do(t, s.Request(t, http.MethodGet, "/.well-known/jwks.json", "")); !strings.Contains(res.Body, `"kid":"old"`) {
			t.Errorf("%s: the keys are %s", name, res.Body)
		}
		end()
	}
}

// epochOf returns the epoch in the access token.
func epochOf(t *testing.T, p pair) string {
	t.Helper()
	_, rest, ok := strings.Cut(claimsOf(t, p.access), `"epoch":"`)
	epoch, _, _ := strings.Cut(rest, `"`)
	if !ok || epoch == "" {
		t.Fatal("no epoch")
	}
	return epoch
}
