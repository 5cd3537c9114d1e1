// Package config holds the settings of the server: one struct, filled from flags, environment, file and defaults.
//
// A setting a.b_c is the key a.b_c of the YAML file, the flag --a-b-c and the variable COUNTERSIGN_A_B_C. A flag wins over
// the environment, the environment over the file, the file over the default. A secret has no flag, because every
// user of the machine can read a command line.
package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is what the server runs with. [Load] makes it; [Config.Validate] has passed.
type Config struct {
	Listen       string
	Data         string
	Database     string
	DatabaseFile string
	// DatabaseMaxConnections is how many connections to a database server there are at most.
	DatabaseMaxConnections int
	databaseFromFlag       bool
	Issuer                 string
	ServiceName            string
	MasterKey              Secret
	MasterKeyFile          string
	JWT                    JWT
	TokenQueryParameter    string
	Session                Session
	Password               Password
	// SignupHideTaken makes a sign-up with a taken address look like any other.
	SignupHideTaken bool
	// APIKeyScopes are the scopes that users may give to their own API keys.
	APIKeyScopes []string
	CORSOrigins  []string
	// CookieDomain is the domain whose hosts all get the cookies of browser sessions; empty for the one host that set them.
	CookieDomain   string
	TrustedProxies []netip.Prefix
	// RulesFile holds the rules of /forward-auth; empty means that everything needs somebody signed in. LoginURL is where
	// it sends browsers.
	RulesFile, LoginURL string
	TLS                 TLS
	AccessLog           bool
	// MetricsListen is where metrics are served; empty for nowhere.
	MetricsListen string
	// InsecureNoLimits turns every limit on load and guessing off, for benchmarks.
	InsecureNoLimits bool
}

// JWT is how tokens are signed and which are accepted.
type JWT struct {
	Secret                   Secret
	SecretFile               string
	InsecureAllowShortSecret bool
	Audience                 string
	AccessTTL                time.Duration
	Algorithm                string
	RotateEvery              time.Duration
	PublishAhead             time.Duration
	Claims                   []string
	AcceptLegacyUntil        time.Time
	LegacySecret             Secret // from LegacySecretFile; it has no key of its own
	LegacySecretFile         string
}

// Session is how long sessions live.
type Session struct {
	Idle, Max, Brief, Fresh time.Duration
	PerUser                 int
	RefreshGrace            time.Duration
}

// Password is how new passwords are checked and stored.
type Password struct {
	Algorithm     string
	BcryptCost    int
	MinLength     int
	BlocklistFile string
}

// TLS names the certificate and key files. Both are empty when the server speaks plain HTTP.
type TLS struct {
	CertFile string
	KeyFile  string
}

// Secret is a string that does not print.
type Secret string

const redacted = "[redacted]"

// String returns a placeholder, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString returns what String does, so that %#v shows no secret either.
func (s Secret) GoString() string { return s.String() }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does, so that encoders show no secret either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }
