package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// DatabaseKind is the kind of a database.
type DatabaseKind string

// The kinds of databases.
const (
	SQLite     DatabaseKind = "sqlite"
	PostgreSQL DatabaseKind = "postgres"
	MongoDB    DatabaseKind = "mongodb"
)

// kinds are the kinds of databases by the schemes of their URLs.
var kinds = map[string]DatabaseKind{
	"sqlite": SQLite, "postgres": PostgreSQL, "postgresql": PostgreSQL, "mongodb": MongoDB, "mongodb+srv": MongoDB,
}

// DatabaseKind returns the kind of the database.
func (c *Config) DatabaseKind() DatabaseKind {
	scheme, _, _ := strings.Cut(c.Database, ":")
	if kind, ok := kinds[scheme]; ok {
		return kind
	}
	return SQLite
}

// DatabasePath returns the path of the SQLite file; nothing if the database is another.
func (c *Config) DatabasePath() string {
	switch path, ok := strings.CutPrefix(c.Database, "sqlite:"); {
	case ok:
		return path
	case c.DatabaseKind() == SQLite:
		return filepath.Join(c.Data, "countersign.db")
	default:
		return ""
	}
}

// DatabaseName returns what says to people which database it is: its URL, without a password.
func (c *Config) DatabaseName() string {
	if c.DatabaseKind() == SQLite {
		return "sqlite:" + c.DatabasePath()
	}
	return withoutPassword(c.Database)
}

// DefaultMasterKeyFile returns where the master key is while none is given: beside the database, which must be a file for
// that; else it returns nothing.
func (c *Config) DefaultMasterKeyFile() string {
	if c.DatabaseKind() != SQLite {
		return ""
	}
	return filepath.Join(filepath.Dir(c.DatabasePath()), "master.key")
}

func (c *Config) validateDatabase() error {
	if c.DatabaseMaxConnections < 2 || c.DatabaseMaxConnections > 1000 {
		return errors.New("database_max_connections: must be between 2 and 1000")
	}
	if c.Database == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(c.Database, ":")
	kind, ok := kinds[scheme]
	if !ok {
		return errors.New("database: must be sqlite:FILE, such as sqlite:/var/lib/countersign/countersign.db, postgres://USER@HOST/DATABASE or mongodb://HOST/DATABASE")
	}
	if kind == SQLite {
		if rest == "" || rest == ":memory:" || strings.HasPrefix(rest, "//") {
			return errors.New("database: must be sqlite:FILE, such as sqlite:/var/lib/countersign/countersign.db")
		}
		return nil
	}
	if !strings.HasPrefix(rest, "//") {
		return errors.New("database: must be a URL, such as " + scheme + "://HOST/DATABASE")
	}
	if c.MasterKey == "" {
		return errors.New("database: the secrets in it are sealed under a master key, which must be given, the same to each node: " +
			"set master_key_file, or COUNTERSIGN_MASTER_KEY; make one with `openssl rand -base64 32`")
	}
	return nil
}

// location is a text that may be a URL with a password, which it does not print.
type location string

func (v *location) set(s string) error { *v = location(s); return nil }
func (v *location) String() string     { return withoutPassword(string(*v)) }
func (v *location) kind() string       { return "string" }

// withoutPassword returns a URL without the password in it. The hosts of a MongoDB URL, which may be several, are no URL's
// host: so it is looked for by hand.
func withoutPassword(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	authority, behind := rest, ""
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		authority, behind = rest[:at], rest[at:]
		if at := strings.LastIndexByte(behind, '@'); at >= 0 && !strings.Contains(authority, "@") && strings.Contains(authority, ":") {
			authority, behind = authority+behind[:at+1], behind[at+1:] // a password with a / in it, which was to be escaped
		}
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if user, _, ok := strings.Cut(authority[:at], ":"); ok {
			authority = user + ":" + redacted + authority[at:]
		}
	}
	return scheme + "://" + authority + withoutSecretParameters(behind)
}

// withoutSecretParameters redacts the parameters of a URL that a driver takes a secret from.
func withoutSecretParameters(s string) string {
	path, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err != nil || isSecret(strings.ToLower(name)) {
			pairs[i] = strings.SplitN(pair, "=", 2)[0] + "=" + redacted
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

// isSecret reports whether a parameter of that name, in lower case, holds a secret or may.
func isSecret(name string) bool {
	for _, word := range []string{"password", "secret", "token", "authmechanismproperties"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// hasPassword reports whether the URL of the database holds one.
func (c *Config) hasPassword() bool { return withoutPassword(c.Database) != c.Database }
