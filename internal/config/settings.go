package config

import "strings"

// Setting is one key of the configuration, bound to its place in a [Config].
type Setting struct {
	// Key is the dotted name, for example jwt.access_ttl.
	Key string
	// Help is one line for people.
	Help string
	// Secret says that the value is never printed and has no flag.
	Secret bool
	// Source says where the value in force came from: default, file, environment or flag.
	Source string

	envOnly bool // not in the file either, which others may often read
	value   value
	derived string // what a value that was left out comes to
}

// Flag returns the setting's flag without the dashes: jwt-access-ttl.
func (s *Setting) Flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.Key) }

// Env returns the setting's environment variable: COUNTERSIGN_JWT_ACCESS_TTL.
func (s *Setting) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// Value returns the value in force as it could stand in a flag, redacted when it is a secret.
func (s *Setting) Value() string {
	if text := s.value.String(); text != "" {
		return text
	}
	return s.derived
}

// Type names what the value is, for help texts.
func (s *Setting) Type() string { return s.value.kind() }

const envPrefix = "COUNTERSIGN_"

// testPrefix begins the variables that name the servers which this project's tests use, and are none of its settings.
const testPrefix = envPrefix + "TEST_"

// defaults returns a Config with every default in place, and its settings.
func defaults() (*Config, []*Setting) {
	c := &Config{}
	set := func(key, help string, v value, def string) *Setting {
		s := &Setting{Key: key, Help: help, Source: "default", value: v}
		if def != "" {
			if err := v.set(def); err != nil {
				panic("config: the default of " + key + ": " + err.Error())
			}
		}
		return s
	}
	secret := func(key, help string, v *Secret) *Setting {
		return &Setting{Key: key, Help: help, Secret: true, Source: "default", value: (*secretValue)(v)}
	}
	environment := func(s *Setting) *Setting {
		s.envOnly = true
		return s
	}
	return c, []*Setting{
		set("listen", "address and port to listen on", (*text)(&c.Listen), "127.0.0.1:3000"),
		set("data", "folder for the embedded database; made when absent", (*text)(&c.Data), "./countersign-data"),
		set("database", "where users are kept: sqlite:FILE, postgres://… or mongodb://… (default: countersign.db in the data folder)", (*location)(&c.Database), ""),
		set("database_file", "file that holds database, for a URL with a password", (*text)(&c.DatabaseFile), ""),
		set("database_max_connections", "connections that each node has to a PostgreSQL server at most", (*integer)(&c.DatabaseMaxConnections), "20"),
		set("issuer", "URL of this server as clients know it, the iss of tokens (default: from listen)", (*text)(&c.Issuer), ""),
		set("service_name", "what users call this service; no password may contain it (default: from the issuer's host)", (*text)(&c.ServiceName), ""),
		environment(secret("master_key", "master key that seals the secrets in the database: 32 bytes as base64 or hex; below it, each on a line, older ones", &c.MasterKey)),
		set("master_key_file", "file that holds master_key (default: master.key beside the database, made at the first start)", (*text)(&c.MasterKeyFile), ""),
		secret("jwt.secret", "sign with HS256 under this secret of at least 32 bytes, instead of with a key of our own", &c.JWT.Secret),
		set("jwt.secret_file", "file that holds jwt.secret", (*text)(&c.JWT.SecretFile), ""),
		set("jwt.insecure_allow_short_secret", "take a jwt.secret under 32 bytes", (*boolean)(&c.JWT.InsecureAllowShortSecret), "false"),
		set("jwt.audience", "the aud of tokens (default: the issuer)", (*text)(&c.JWT.Audience), ""),
		set("jwt.access_ttl", "how long a token lives", (*duration)(&c.JWT.AccessTTL), "15m"),
		set("jwt.algorithm", "algorithm of new keys: ES256, RS256, PS256, ES384, EdDSA or HS256 (default: that of the newest key; ES256 for the first)", (*text)(&c.JWT.Algorithm), ""),
		set("jwt.rotate_every", "how long a key signs before the next one does; 0s leaves that to countersign key rotate", (*duration)(&c.JWT.RotateEvery), "0s"),
		set("jwt.publish_ahead", "how long a new key is published before it signs", (*duration)(&c.JWT.PublishAhead), "10m"),
		set("jwt.claims", "claims to add to tokens, as NAME=VALUE: a text, or $id, $email, $created_at, $roles, $data.NAME, $admin_data.NAME", (*list)(&c.JWT.Claims), ""),
		set("jwt.accept_legacy_until", "until when tokens of the founding Express app are accepted, as 2027-01-31 or RFC 3339", (*instant)(&c.JWT.AcceptLegacyUntil), ""),
		set("jwt.legacy_secret_file", "file that holds the founding app's JWT secret", (*text)(&c.JWT.LegacySecretFile), ""),
		set("token_query_parameter", "query parameter that may carry a token; empty turns it off", (*text)(&c.TokenQueryParameter), "secret_token"),
		set("session.idle", "how long a session lives that is not refreshed", (*duration)(&c.Session.Idle), "336h"),
		set("session.max", "how long any session lives after its login", (*duration)(&c.Session.Max), "720h"),
		set("session.brief", "how long a session lives whose login said remember=false", (*duration)(&c.Session.Brief), "24h"),
		set("session.per_user", "how many sessions a user may have, beyond which those used the longest ago end; 0 is no limit", (*integer)(&c.Session.PerUser), "100"),
		set("session.fresh", "how long after a login what is sensitive may be done, such as deleting the account", (*duration)(&c.Session.Fresh), "10m"),
		set("refresh.grace", "how long a refresh token two generations old is still answered", (*duration)(&c.Session.RefreshGrace), "10s"),
		set("password.algorithm", "how new passwords are hashed: bcrypt or argon2id", (*text)(&c.Password.Algorithm), "bcrypt"),
		set("password.bcrypt_cost", "bcrypt's cost, 10 to 16; 4 to 9 are accepted with a warning", (*integer)(&c.Password.BcryptCost), "10"),
		set("password.min_length", "characters that a new password has at least", (*integer)(&c.Password.MinLength), "8"),
		set("password.blocklist_file", "file of more passwords to refuse: SHA-1 hashes of Have I Been Pwned in ascending order, or one password a line", (*text)(&c.Password.BlocklistFile), ""),
		set("signup.hide_taken", "answer a sign-up with a taken address like any other", (*boolean)(&c.SignupHideTaken), "false"),
		set("api_keys.scopes", "scopes that users may give to their own API keys", (*list)(&c.APIKeyScopes), ""),
		set("cookie.domain", "domain whose hosts all get the cookies of browser sessions, such as example.com (default: only the host that set them)", (*text)(&c.CookieDomain), ""),
		set("cors.origins", "origins whose pages may call this server, exactly as browsers send them", (*list)(&c.CORSOrigins), ""),
		set("trusted_proxies", "addresses or CIDR ranges of proxies whose X-Forwarded-For is believed, and who may ask /forward-auth", (*prefixes)(&c.TrustedProxies), ""),
		set("rules_file", "file with the rules by which /forward-auth tells proxies what may pass (default: all who are signed in)", (*text)(&c.RulesFile), ""),
		set("login_url", "where /forward-auth sends browsers to log in: a URL, or a path on the guarded host", (*text)(&c.LoginURL), ""),
		set("tls.cert_file", "PEM file with the certificate chain", (*text)(&c.TLS.CertFile), ""),
		set("tls.key_file", "PEM file with the certificate's key", (*text)(&c.TLS.KeyFile), ""),
		set("access_log", "write a line for each request", (*toggle)(&c.AccessLog), "on"),
		set("metrics_listen", "address and port for metrics in the format of Prometheus, for the operator alone; empty turns them off", (*text)(&c.MetricsListen), ""),
		set("limits.insecure_disabled", "turn off every limit on load and guessing, for benchmarks", (*boolean)(&c.InsecureNoLimits), "false"),
	}
}

// Settings returns every setting with its default, for help texts and flags.
func Settings() []*Setting {
	_, settings := defaults()
	return settings
}
