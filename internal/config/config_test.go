package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/config"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "c.yaml", "listen: 127.0.0.1:1\ndata: file\njwt:\n  access_ttl: 5m\npassword.min_length: 12\ncors:\n  origins: [https://a.example, https://b.example]\naccess_log: off\n")
	c, settings, err := config.Load(config.Sources{
		File:    file,
		Environ: []string{"HOME=/root", "COUNTERSIGN_DATA=env", "COUNTERSIGN_LISTEN=127.0.0.1:2"},
		Flags:   map[string]string{"listen": "127.0.0.1:3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Data != "env" || c.JWT.AccessTTL != 5*time.Minute || c.Password.MinLength != 12 || len(c.CORSOrigins) != 2 || c.AccessLog {
		t.Errorf("got %+v", c)
	}
	sources := map[string]string{}
	for _, s := range settings {
		sources[s.Key] = s.Source
	}
	for key, want := range map[string]string{"listen": "flag", "data": "environment", "jwt.access_ttl": "file", "issuer": "default"} {
		if sources[key] != want {
			t.Errorf("source of %s = %q, want %q", key, sources[key], want)
		}
	}
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, _, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("the default configuration warns: %q", w)
	}
	if got := c.IssuerAt(c.Listen); got != "http://127.0.0.1:3000" {
		t.Errorf("issuer %q", got)
	}
}

// Browsers refuse a cookie for a domain that the server is not in.
func TestCookieDomain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		domain, issuer string
		good           bool
	}{
		{"example.com", "https://auth.example.com", true},
		{"example.com", "https://example.com:8443", true},
		{"example.com", "https://notexample.com", false},
		{"auth.example.com", "https://example.com", false},
	} {
		c, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_COOKIE_DOMAIN=" + tt.domain, "COUNTERSIGN_ISSUER=" + tt.issuer}})
		if (err == nil) != tt.good {
			t.Errorf("%s at %s: %v", tt.domain, tt.issuer, err)
		}
		if err == nil && !strings.Contains(strings.Join(c.Warnings(), "\n"), "every host below example.com") {
			t.Errorf("%s: no warning: %q", tt.domain, c.Warnings())
		}
	}
}

// A secret that signs is either shared, or of no use to services.
func TestHS256Warns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environ []string
		want    bool
	}{
		{[]string{"COUNTERSIGN_JWT_ALGORITHM=HS256"}, true},
		{[]string{"COUNTERSIGN_JWT_ALGORITHM=HS256", "COUNTERSIGN_JWT_SECRET=0123456789abcdef0123456789abcdef"}, false},
		{[]string{"COUNTERSIGN_JWT_ALGORITHM=ES256"}, false},
	} {
		c, _, err := config.Load(config.Sources{Environ: tt.environ})
		if err != nil {
			t.Fatal(err)
		}
		if w := strings.Join(c.Warnings(), "\n"); strings.Contains(w, "no other service can verify tokens") != tt.want {
			t.Errorf("%q: %q", tt.environ, w)
		}
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	t.Parallel()
	_, _, err := config.Load(config.Sources{
		File:    write(t, "c.yaml", "lissten: x\npassword:\n  min_length: many\n"),
		Environ: []string{"COUNTERSIGN_JWT_ACCESS_TTL=900", "COUNTERSIGN_DATABSE=x", "COUNTERSIGN_SERVICE_HOST=10.0.0.1", "COUNTERSIGN_PORT_80_TCP=x", "COUNTERSIGN_DB_SERVICE_HOST=10.0.0.1", "COUNTERSIGN_DB_PORT_5432_TCP_ADDR=x", "COUNTERSIGN_DB_PORT=x"},
		Flags:   map[string]string{"jwt-secret": "on a command line"},
	})
	for _, want := range []string{"did you mean listen?", "password.min_length: must be a whole number", "COUNTERSIGN_JWT_ACCESS_TTL: must be a duration with a unit", "did you mean COUNTERSIGN_DATABASE?", "unknown flag --jwt-secret"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "SERVICE_HOST") || strings.Contains(err.Error(), "_PORT")) {
		t.Errorf("a variable of Kubernetes is refused:\n%v", err)
	}
}

func TestInvalidValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ variable, want string }{
		{"LISTEN=3000", "HOST:PORT"},
		{"DATABASE=mysql://x", "sqlite:FILE"},
		{"DATABASE=postgres://x", "under a master key"},
		{"DATABASE=mongodb:x", "must be a URL"},
		{"ISSUER=example.com", "must be a URL"},
		{"ISSUER=https://example.com/", "no slash"},
		{"JWT_SECRET=top_secret", "has 10 bytes, needs 32"},
		{"JWT_SECRET_FILE=/does/not/exist", "no such file"},
		{"JWT_ACCESS_TTL=0s", "between 1s and 24h"},
		{"MASTER_KEY=correct horse", "master_key: line 1 is no master key"},
		{"MASTER_KEY=", "is empty"},
		{"MASTER_KEY_FILE=/does/not/exist", "no such file"},
		{"MASTER_KEY_FILE=/dev/null", "master_key_file: "},
		{"JWT_ALGORITHM=ES512", "jwt.algorithm: must be one of"},
		{"JWT_ALGORITHM=none", "jwt.algorithm: must be one of"},
		{"JWT_ROTATE_EVERY=30m", "at least 1h"},
		{"JWT_ROTATE_EVERY=-1h", "at least 1h"},
		{"JWT_PUBLISH_AHEAD=0s", "between 1s and 168h"},
		{"JWT_CLAIMS=exp=1", "jwt.claims: \"exp=1\""},
		{"JWT_CLAIMS=x", "NAME=VALUE"},
		{"JWT_ACCEPT_LEGACY_UNTIL=2027-01-31", "set both"},
		{"JWT_ACCEPT_LEGACY_UNTIL=soon", "must be a date"},
		{"PASSWORD_ALGORITHM=md5", "bcrypt or argon2id"},
		{"PASSWORD_BCRYPT_COST=3", "between 4 and 16"},
		{"PASSWORD_MIN_LENGTH=0", "between 1 and 64"},
		{"SERVICE_NAME=two\nlines", "on one line"},
		{"SERVICE_NAME=" + strings.Repeat("x", 65), "at most 64 characters"},
		{"SERVICE_NAME=- -", "must be a name"},
		{"COOKIE_DOMAIN=.example.com", "cookie.domain: must be a domain"},
		{"COOKIE_DOMAIN=com", "cookie.domain: must be a domain"},
		{"COOKIE_DOMAIN=Example.com", "cookie.domain: must be a domain"},
		{"COOKIE_DOMAIN=example.com:443", "cookie.domain: must be a domain"},
		{"COOKIE_DOMAIN=10.0.0.1", "cookie.domain: must be a domain"},
		{"COOKIE_DOMAIN=a..example.com", "cookie.domain: must be a domain"},
		{"CORS_ORIGINS=*", "must be a URL"},
		{"CORS_ORIGINS=null", "must be a URL"},
		{"CORS_ORIGINS=https://A.example", "lower case"},
		{"CORS_ORIGINS=HTTPS://a.example", "lower case"},
		{"CORS_ORIGINS=https://bücher.example", "ASCII"},
		{"CORS_ORIGINS=https://a.example?", "lower case"},
		{"CORS_ORIGINS=https://*.example.com", "no wildcards"},
		{"CORS_ORIGINS=https://a.example:443", "own port"},
		{"JWT_SECRET=", "is empty"},
		{"DATABASE=sqlite::memory:", "sqlite:FILE"},
		{"DATABASE=sqlite://tmp/x.db", "sqlite:FILE"},
		{"TRUSTED_PROXIES=::ffff:10.0.0.0/104", "CIDR"},
		{"CORS_ORIGINS=https://a.example/x", "with the host"},
		{"TRUSTED_PROXIES=10.0.0.0/99", "CIDR"},
		{"TLS_CERT_FILE=x.pem", "set both"},
		{"ACCESS_LOG=maybe", "true or false"},
	}
	for _, tt := range tests {
		_, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_" + tt.variable}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.variable, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "top_secret") {
			t.Errorf("%s: the error repeats the secret: %v", tt.variable, err)
		}
	}
}

func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"duplicate key":          "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n",
		"a list":                 "- listen\n",
		"not YAML":               "listen: [\n",
		"nested list":            "cors:\n  origins: [[a]]\n",
		"a key in two spellings": "jwt: {access_ttl: 5m}\njwt.access_ttl: 7m\n",
		"two documents":          "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n",
		"an alias":               "jwt.secret: *0123456789abcdef0123456789abcdef\n",
	} {
		if _, _, err := config.Load(config.Sources{File: write(t, "c.yaml", content)}); err == nil || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := config.Load(config.Sources{File: "/does/not/exist"}); err == nil {
		t.Error("a missing file: no error")
	}
	if _, _, err := config.Load(config.Sources{File: write(t, "c.yaml", "")}); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestSecretsComeFromFilesAndDoNotPrint(t *testing.T) {
	t.Parallel()
	const value = "0123456789abcdef0123456789abcdef"
	path := write(t, "secret", value+"\n")
	c, settings, err := config.Load(config.Sources{Flags: map[string]string{"jwt-secret-file": path}})
	if err != nil {
		t.Fatal(err)
	}
	if c.JWT.Secret.Reveal() != value {
		t.Errorf("secret has %d bytes", len(c.JWT.Secret))
	}
	printed := fmt.Sprintf("%v %+v %#v %s", c, c, c.JWT, c.JWT.Secret)
	for _, s := range settings {
		printed += s.Value()
	}
	if strings.Contains(printed, value) {
		t.Errorf("the secret is printed: %s", printed)
	}
	if _, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_JWT_SECRET=" + value, "COUNTERSIGN_JWT_SECRET_FILE=" + path}}); err == nil {
		t.Error("a secret given twice: no error")
	}
}

func FuzzFile(f *testing.F) {
	f.Add("listen: x\n")
	f.Add("jwt: {access_ttl: 1h}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, content string) {
		_, _, _ = config.Load(config.Sources{File: write(t, "c.yaml", content)})
	})
}

func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		if !strings.Contains(string(page), "`"+s.Key+"`") {
			t.Errorf("docs/configuration.md does not name %s", s.Key)
		}
	}
}

func TestLegacyDayIsIncluded(t *testing.T) {
	t.Parallel()
	c, _, err := config.Load(config.Sources{Environ: []string{
		"COUNTERSIGN_JWT_ACCEPT_LEGACY_UNTIL=2027-01-31", "COUNTERSIGN_JWT_LEGACY_SECRET_FILE=" + write(t, "s", "TOP_SECRET")}})
	if want := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC); err != nil || !c.JWT.AcceptLegacyUntil.Equal(want) {
		t.Errorf("%v (%v), want %v", c.JWT.AcceptLegacyUntil, err, want)
	}
}

func TestKeySettings(t *testing.T) {
	t.Parallel()
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	file := write(t, "master", "\n "+key+" \n")
	if c, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_MASTER_KEY_FILE=" + file}}); err != nil || strings.TrimSpace(c.MasterKey.Reveal()) != key {
		t.Errorf("%v", err)
	}
	secret := "COUNTERSIGN_JWT_SECRET=0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		environ []string
		want    string
	}{
		{[]string{"COUNTERSIGN_MASTER_KEY_FILE=" + file, "COUNTERSIGN_MASTER_KEY=" + key}, "set one, not both"},
		{[]string{"COUNTERSIGN_MASTER_KEY_FILE=" + write(t, "junk", "junk")}, "junk: line 1 is no master key"},
		{[]string{"COUNTERSIGN_MASTER_KEY_FILE=" + write(t, "empty", " \n")}, "is empty"},
		{[]string{secret, "COUNTERSIGN_JWT_ALGORITHM=ES256"}, "must be HS256"},
		{[]string{secret, "COUNTERSIGN_JWT_ALGORITHM=HS256"}, ""},
		{[]string{secret, "COUNTERSIGN_JWT_ROTATE_EVERY=24h"}, "there are no keys to rotate"},
		{[]string{"COUNTERSIGN_JWT_ROTATE_EVERY=4h", "COUNTERSIGN_JWT_ACCESS_TTL=3h50m"}, "at least 4h1m1s"},
		{[]string{"COUNTERSIGN_JWT_ROTATE_EVERY=24h", "COUNTERSIGN_JWT_CLAIMS=tenant=acme,plan=$admin_data.plan"}, ""},
	} {
		_, _, err := config.Load(config.Sources{Environ: tt.environ})
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), key)) {
			t.Errorf("%q: got %v, want %q", tt.environ, err, tt.want)
		}
	}
	yaml := write(t, "c.yaml", "master_key: "+key+"\n")
	if _, _, err := config.Load(config.Sources{File: yaml}); err == nil || !strings.Contains(err.Error(), "use COUNTERSIGN_MASTER_KEY or master_key_file") {
		t.Errorf("in the file: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_MASTER_KEY_FILE=" + file}}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that all may read: %v", err)
	}
}

func TestDatabaseURLsDoNotShowPasswords(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgres://u:secret@h/db?sslmode=disable":                           "postgres://u:[redacted]@h/db?sslmode=disable",
		"postgres://u@h/db?Password=secret&x=1":                              "postgres://u@h/db?Password=[redacted]&x=1",
		"postgres://h/db?sslpassword=secret":                                 "postgres://h/db?sslpassword=[redacted]",
		"postgres://h/db?p%61ssword=secret":                                  "postgres://h/db?p%61ssword=[redacted]",
		"mongodb://u:sec@ret@h1:1,h2:2/db?replicaSet=r":                      "mongodb://u:[redacted]@h1:1,h2:2/db?replicaSet=r",
		"mongodb://h1,h2/db?tlsCertificateKeyFilePassword=secret":            "mongodb://h1,h2/db?tlsCertificateKeyFilePassword=[redacted]",
		"mongodb://u:secret@h":                                               "mongodb://u:[redacted]@h",
		"postgres://u:pa/ss@host/db":                                         "postgres://u:[redacted]@host/db",
		"postgres://u:p/a?s@s@host:5/db?x=1":                                 "postgres://u:[redacted]@host:5/db?x=1",
		"mongodb://h/db?authMechanismProperties=AWS_SESSION_TOKEN:topsecret": "mongodb://h/db?authMechanismProperties=[redacted]",
		"sqlite:/a:b@c": "sqlite:/a:b@c",
	} {
		environ := []string{"COUNTERSIGN_DATABASE=" + given, "COUNTERSIGN_MASTER_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}
		c, settings, err := config.Load(config.Sources{Environ: environ})
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		for _, s := range settings {
			if s.Key == "database" && s.Value() != want || c.DatabaseName() != want {
				t.Errorf("%s: shown as %s and %s, want %s", given, s.Value(), c.DatabaseName(), want)
				break
			}
		}
	}
}
