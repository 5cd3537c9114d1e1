package app

import (
	"fmt"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/forward"
)

// forwardAuth returns what answers proxies, by the rules in the file of the configuration.
func (a *App) forwardAuth(proxies api.Proxies) (*forward.Handler, error) {
	rules, err := forward.Load(a.Config.RulesFile)
	if err != nil {
		return nil, fmt.Errorf("rules_file: %w", err)
	}
	for _, warning := range rules.Warnings() {
		a.log.Warn("rules_file: " + warning)
	}
	return forward.New(forward.Config{
		Rules: rules, Proxies: proxies, Tokens: a.Guard.Strategy(), Cookies: a.Guard.Cookies, Keys: a.APIKeys.Strategy(), SignFor: a.Tokens.SignFor, Issuer: a.issuer, Realm: realm,
		LoginURL: a.Config.LoginURL, Origins: a.Config.CORSOrigins, Log: a.log, Now: a.now,
	})
}
