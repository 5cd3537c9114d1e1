package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

// MinSecret is the shortest HS256 secret, in bytes: the length of the hash (RFC 7518, section 3.2).
const MinSecret = 32

// maxServiceName is the longest service_name, in characters.
const maxServiceName = 64

// Validate reports every value that the server could not run with.
func (c *Config) Validate() (problems []error) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen: must be HOST:PORT, such as 127.0.0.1:3000")
	}
	if _, _, err := net.SplitHostPort(c.MetricsListen); c.MetricsListen != "" && err != nil {
		bad("metrics_listen: must be HOST:PORT, such as 127.0.0.1:9090")
	}
	if err := c.validateDatabase(); err != nil {
		bad("%w", err)
	}
	if c.Issuer != "" {
		if err := checkOrigin(c.Issuer, true); err != nil {
			bad("issuer: %w", err)
		}
	}
	if c.ServiceName != "" && !isName(c.ServiceName) {
		bad("service_name: must be a name of at most %d characters, on one line", maxServiceName)
	}
	if s := c.JWT.Secret; s != "" && len(s) < MinSecret && !c.JWT.InsecureAllowShortSecret {
		bad("jwt.secret: has %d bytes, needs %d; make one with `openssl rand -base64 48`, or set jwt.insecure_allow_short_secret", len(s), MinSecret)
	}
	if c.MasterKey != "" {
		if _, err := seal.Parse(c.MasterKey.Reveal()); err != nil {
			key := "master_key"
			if c.MasterKeyFile != "" {
				key = "master_key_file: " + c.MasterKeyFile
			}
			bad("%s: %w", key, err)
		}
	}
	c.JWT.validateKeys(bad)
	if c.JWT.AccessTTL < time.Second || c.JWT.AccessTTL > MaxAccessTTL {
		bad("jwt.access_ttl: must be between 1s and 24h")
	}
	if c.JWT.AcceptLegacyUntil.IsZero() != (c.JWT.LegacySecretFile == "") {
		bad("jwt.accept_legacy_until and jwt.legacy_secret_file: set both, or neither")
	}
	c.Session.validate(c.JWT.AccessTTL, bad)
	if !slices.Contains([]string{"bcrypt", "argon2id"}, c.Password.Algorithm) {
		bad("password.algorithm: must be bcrypt or argon2id")
	}
	if c.Password.BcryptCost < 4 || c.Password.BcryptCost > 16 {
		bad("password.bcrypt_cost: must be between 4 and 16")
	}
	if c.Password.MinLength < 1 || c.Password.MinLength > 64 {
		bad("password.min_length: must be between 1 and 64")
	}
	if c.CookieDomain != "" {
		if err := checkCookieDomain(c.CookieDomain, c.Issuer); err != nil {
			bad("cookie.domain: %w", err)
		}
	}
	if err := apikey.CheckOwnScopes(c.APIKeyScopes); err != nil {
		bad("api_keys.scopes: %w", err)
	}
	for _, o := range c.CORSOrigins {
		if err := checkOrigin(o, false); err != nil {
			bad("cors.origins: %q: %w", o, err)
		}
	}
	if c.LoginURL != "" && !isLoginURL(c.LoginURL) {
		bad("login_url: must be a URL such as https://auth.example.com/login, or a path such as /auth/login")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls.cert_file and tls.key_file: set both, or neither")
	}
	return problems
}

// validateKeys reports what the server's own keys could not do.
func (j *JWT) validateKeys(bad func(format string, args ...any)) {
	if a := jwt.Algorithm(j.Algorithm); a != "" && !slices.Contains(token.Algorithms(), a) {
		bad("jwt.algorithm: must be one of %v", token.Algorithms())
	} else if j.Secret != "" && a != "" && a != jwt.HS256 {
		bad("jwt.algorithm: must be HS256 or left out, because jwt.secret signs")
	}
	if j.Secret != "" && j.RotateEvery != 0 {
		bad("jwt.rotate_every: there are no keys to rotate, because jwt.secret signs")
	}
	if j.PublishAhead < time.Second || j.PublishAhead > 7*24*time.Hour {
		bad("jwt.publish_ahead: must be between 1s and 168h")
	}
	if least := max(time.Hour, j.PublishAhead+token.Lifetime(j.AccessTTL)+time.Second); j.RotateEvery != 0 && j.RotateEvery < least {
		bad("jwt.rotate_every: must be 0s, or at least %v: a new key is published before it signs, and its predecessor's last tokens must have expired", least)
	}
	if _, err := token.ParseTemplate(j.Claims); err != nil {
		bad("jwt.claims: %w", err)
	}
}

// MaxAccessTTL is the longest that a token may live.
const MaxAccessTTL = 24 * time.Hour

// maxSession is the longest that a session may live.
const maxSession = 10 * 365 * 24 * time.Hour

func (s *Session) validate(accessTTL time.Duration, bad func(format string, args ...any)) {
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"session.idle", s.Idle}, {"session.max", s.Max}, {"session.brief", s.Brief}} {
		if d.value < accessTTL || d.value > maxSession {
			bad("%s: must be between jwt.access_ttl and 10 years", d.key)
		}
	}
	if s.Idle > s.Max {
		bad("session.idle: must not be longer than session.max")
	}
	if s.PerUser < 0 || s.PerUser > 10_000 {
		bad("session.per_user: must be between 0 and 10000")
	}
	if s.Fresh < time.Second || s.Fresh > s.Max {
		bad("session.fresh: must be between 1s and session.max")
	}
	if s.RefreshGrace < 0 || s.RefreshGrace > time.Minute {
		bad("refresh.grace: must be between 0s and 1m")
	}
}

// isName reports whether people could call something s.
func isName(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxServiceName &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) &&
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// checkOrigin accepts scheme://host[:port], and a path when that is allowed.
func checkOrigin(s string, pathAllowed bool) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("must be a URL such as https://app.example.com")
	case strings.HasSuffix(s, "/"), !pathAllowed && u.Path != "":
		return errors.New("must end with the host, with no slash behind it")
	case strings.Contains(u.Host, "*"):
		return errors.New("must be one origin; there are no wildcards")
	case u.Scheme+"://"+u.Host+u.Path != s, u.Host != strings.ToLower(u.Host), strings.ContainsFunc(u.Host, func(r rune) bool { return r > 0x7f }):
		return errors.New("must be in lower case and ASCII, as browsers send it")
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return errors.New("must not name the scheme's own port, which browsers leave out")
	}
	return nil
}

// isLoginURL reports whether browsers can be sent to s with a parameter return_to behind it: an absolute URL, or a path that
// no browser takes for one of another host.
func isLoginURL(s string) bool {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.User != nil, strings.Contains(s, "#"), u.Query().Has("return_to"), strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }):
		return false
	case u.IsAbs():
		return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
	}
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
}

// checkCookieDomain accepts a domain that the issuer's host is, or is below.
func checkCookieDomain(domain, issuer string) error {
	label := func(r rune) bool { return r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' }
	switch {
	case strings.Trim(domain, ".-") != domain, strings.ContainsFunc(domain, func(r rune) bool { return !label(r) }),
		strings.Contains(domain, ".."), net.ParseIP(domain) != nil, !strings.Contains(domain, ".") && domain != "localhost":
		return errors.New("must be a domain such as example.com, in lower case and ASCII, without a port")
	case issuer == "":
		return nil
	}
	if u, err := url.Parse(issuer); err == nil && u.Hostname() != domain && !strings.HasSuffix(u.Hostname(), "."+domain) {
		return errors.New("must be the issuer's host or a domain above it, or browsers refuse the cookies")
	}
	return nil
}

// Warnings says in words what is dangerous in the settings in force.
func (c *Config) Warnings() (warnings []string) {
	if n := len(c.JWT.Secret); n > 0 && n < MinSecret {
		warnings = append(warnings, fmt.Sprintf("jwt.secret has only %d bytes: anyone can find it from one token by trying", n))
	}
	if c.JWT.Secret == "" && c.JWT.Algorithm == string(jwt.HS256) {
		warnings = append(warnings, "jwt.algorithm is HS256 without jwt.secret: no other service can verify tokens, and there is no revocation feed")
	}
	if n := len(c.JWT.LegacySecret); n > 0 && n < MinSecret && time.Now().Before(c.JWT.AcceptLegacyUntil) {
		warnings = append(warnings, fmt.Sprintf("the legacy JWT secret has only %d bytes: who finds it can forge tokens until %s",
			n, c.JWT.AcceptLegacyUntil.Format(time.DateOnly)))
	}
	if c.Password.Algorithm == "bcrypt" && c.Password.BcryptCost < 10 {
		warnings = append(warnings, fmt.Sprintf("password.bcrypt_cost is %d: a stolen database is cheap to crack below 10", c.Password.BcryptCost))
	}
	if c.Password.MinLength < 8 {
		warnings = append(warnings, fmt.Sprintf("password.min_length is %d: NIST SP 800-63B-4 asks for at least 8", c.Password.MinLength))
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			warnings = append(warnings, "trusted_proxies holds every address: any client can claim to be any other")
		}
	}
	if c.RulesFile != "" && len(c.TrustedProxies) == 0 {
		warnings = append(warnings, "rules_file is set, and trusted_proxies is not: /forward-auth answers nobody")
	}
	if c.Password.Algorithm == "bcrypt" && c.Password.BcryptCost > 12 {
		warnings = append(warnings, fmt.Sprintf("password.bcrypt_cost is %d: a login takes seconds, and few can be made at once", c.Password.BcryptCost))
	}
	if c.CookieDomain != "" {
		warnings = append(warnings, fmt.Sprintf("cookie.domain is set: every host below %s is given the tokens of browsers, and can log a browser in as somebody else", c.CookieDomain))
	}
	if c.SignupHideTaken {
		warnings = append(warnings, "signup.hide_taken is set, and no mail is sent yet: who signs up with a taken address is not told")
	}
	if c.databaseFromFlag && c.hasPassword() {
		warnings = append(warnings, "--database holds a password, and every user of this machine can read a command line: use COUNTERSIGN_DATABASE, or database_file")
	}
	if c.InsecureNoLimits {
		warnings = append(warnings, "limits.insecure_disabled is set: nothing slows a guesser or a flood")
	}
	if host, _, _ := net.SplitHostPort(c.Listen); !isLoopback(host) && c.TLS.CertFile == "" && len(c.TrustedProxies) == 0 {
		warnings = append(warnings, "passwords cross the network in clear text: set tls.cert_file, or trusted_proxies if a proxy in front speaks TLS")
	}
	return warnings
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// IssuerAt returns the issuer for a server that listens at addr: the one that is set, or else the address as a URL.
func (c *Config) IssuerAt(addr string) string {
	if c.Issuer != "" {
		return c.Issuer
	}
	host, port, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if c.TLS.CertFile != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
