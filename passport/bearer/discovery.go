package bearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/countersign-auth/countersign/jwt/fetch"
)

// maxDiscovery is the longest discovery document that is read.
const maxDiscovery = 64 << 10

// place is where the documents of an issuer are; empty for one that there is not.
type place struct{ keys, feed string }

// newDiscovery returns the discovery document of OpenID Connect Discovery 1.0, section 4.
func newDiscovery(cfg Config) (*fetch.Source, error) {
	if u, err := url.Parse(cfg.Issuer); err != nil || u.RawQuery != "" || u.ForceQuery {
		return nil, errors.New("the URL must be https://host/path")
	}
	return fetch.New(strings.TrimSuffix(cfg.Issuer, "/")+"/.well-known/openid-configuration", fetch.Config{
		Accept: []string{"application/json"}, MaxBytes: maxDiscovery, Client: cfg.Client, InsecureAllowHTTP: cfg.InsecureAllowHTTP,
	})
}

// place returns what is known without the document.
func (i *issuer) place() place { return place{keys: i.cfg.KeysURL, feed: i.cfg.FeedURL} }

// complete reports whether there is nothing to find.
func (p place) complete(cfg Config) bool {
	return (p.keys != "" || cfg.Secret != nil) && (p.feed != "" || cfg.InsecureNoFeed)
}

// read adds what the document says. Its issuer must be the one that was asked, exactly: else whoever gives us one issuer's
// tokens and another one's document has them verified with keys of his own (RFC 8414, section 3.3).
func (p *place) read(body []byte, cfg Config) error {
	var members map[string]json.RawMessage // and no struct, which would take "ISSUER" too
	if err := json.Unmarshal(body, &members); err != nil {
		return errors.New("the document is no JSON object")
	}
	text := func(name string) (s string) {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	if is := text("issuer"); is != cfg.Issuer {
		return fmt.Errorf("the document of %q says that its issuer is %.200q: Config.Issuer must be that, to the letter", cfg.Issuer, is)
	}
	if p.keys == "" && cfg.Secret == nil {
		if p.keys = text("jwks_uri"); !sameOrigin(p.keys, cfg.Issuer) {
			return errors.New("jwks_uri is missing, or not at the issuer's own host: name it in Config.KeysURL if it is right")
		}
	}
	const feed = "countersign_revocation_feed"
	if _, ok := members[feed]; ok && p.feed == "" && !cfg.InsecureNoFeed {
		if p.feed = text(feed); !sameOrigin(p.feed, cfg.Issuer) {
			return errors.New(feed + " is not at the issuer's own host: name it in Config.FeedURL if it is right")
		}
	}
	return nil
}

// sameOrigin reports whether two URLs have one scheme, host and port.
func sameOrigin(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Host != "" && x.Scheme == y.Scheme && hostPort(x) == hostPort(y)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
