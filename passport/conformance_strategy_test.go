package passport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/local"
	"github.com/countersign-auth/countersign/problem"
)

var tablePasswords = map[string]string{"alice": "correct horse", "bob": "battery staple", "long": strings.Repeat("x", 100)}

type (
	personOutcome  = passport.Outcome[*person]
	personStrategy = passport.Strategy[*person]
)

// registry makes the row's strategies. One that was taken out by unuse was never in it: a registry does not change.
func (a *tableApp) registry() (*passport.Registry[*person], error) {
	named := []passport.Named[*person]{{Name: "session", Strategy: a.sessions.Strategy()}}
	for _, spec := range a.row.Strategies {
		s, err := a.strategy(&spec)
		if err != nil {
			return nil, err
		}
		name := spec.Name
		if name == "" && !spec.Nameless {
			name = spec.Type
		}
		taken := false
		for _, n := range a.row.Unuse {
			taken = taken || n == name
		}
		if !taken {
			named = append(named, passport.Named[*person]{Name: name, Strategy: s})
		}
	}
	return passport.NewRegistry(named...)
}

func (a *tableApp) strategy(spec *tableStrategy) (personStrategy, error) {
	switch spec.Type {
	case "local":
		o := spec.Options
		cfg := local.Config{Reader: local.Reader{UsernameField: words(o["usernameField"], ""), PasswordField: words(o["passwordField"], "")}}
		if spec.Verify == "challenge" {
			cfg.Challenge = problem.Basic("members")
		}
		return orError(local.New(a.verifyPassword(spec.Verify), cfg))
	case "jwt":
		return a.bearer(spec)
	case "base":
		return nil, nil // what embeds no Authenticate is no strategy; the nearest that compiles is none at all
	}
	return passport.StrategyFunc[*person](spec.script), nil
}

// orError keeps a nil pointer from becoming a strategy.
func orError[S personStrategy](s S, err error) (personStrategy, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (a *tableApp) verifyPassword(kind string) local.Verify[*person] {
	if kind == "none" {
		return nil
	}
	return func(ctx context.Context, c local.Credentials) (*person, bool, error) {
		switch kind {
		case "error":
			return nil, false, errDown
		case "throw":
			panic("bug")
		case "types":
			return &person{fmt.Sprintf("%T %s", c.Username, c.Username)}, true, nil
		case "tenant":
			return &person{fmt.Sprintf("%s of %s", c.Username, ctx.Value(tenantKey{}))}, true, nil
		case "barrier":
			a.waiting.wait(ctx)
		}
		want, ok := tablePasswords[c.Username]
		return &person{c.Username}, ok && want == c.Password, nil
	}
}

func (a *tableApp) bearer(spec *tableStrategy) (personStrategy, error) {
	o := object{"issuer": tableIssuer, "audience": tableAudience}
	merge(o, spec.Options)
	if inner, ok := o["jsonWebTokenOptions"].(object); ok {
		merge(o, inner) // ours has one place for each expectation
	}
	var keys jwt.KeySet
	switch spec.Provider {
	case "error":
		keys = keySet(func(context.Context) ([]*jwt.Key, error) { return nil, errDown })
	case "hang":
		keys = keySet(func(ctx context.Context) ([]*jwt.Key, error) {
			close(a.lookup.began)
			<-ctx.Done()
			close(a.lookup.cancelled)
			return nil, ctx.Err()
		})
	default:
		key, err := tableKey(spec.Key, algorithm(o), jwt.KeyOptions{InsecureAllowShortSecret: spec.Go.AllowShort})
		if err != nil {
			return nil, err
		}
		keys = jwt.StaticKeys{key}
	}
	verifier, err := jwt.NewVerifier(keys, expectation(o, spec.Go))
	if err != nil {
		return nil, err
	}
	load := func(ctx context.Context, t *jwt.Token) (*person, bool, error) {
		switch {
		case t.Subject == "down":
			return nil, false, errDown
		case t.Subject == "thrown":
			panic("bug")
		case spec.Verify == "challenge":
			return nil, false, nil
		case spec.Verify == "claims":
			return &person{"header payload"}, t.Header.Algorithm != "" && len(t.Payload()) > 0, nil
		case o["passReqToCallback"] == true:
			return &person{fmt.Sprintf("%s of %s", t.Subject, ctx.Value(tenantKey{}))}, true, nil
		}
		_, ok := tablePasswords[t.Subject]
		return &person{t.Subject}, ok, nil
	}
	if spec.Verify == "none" {
		load = nil
	}
	extract, scheme, err := extractor(spec.Extract)
	if err != nil {
		return nil, err
	}
	return orError(bearer.NewStrategy(verifier, load, bearer.Options{Extract: extract, Realm: "api", Scheme: scheme}))
}

// keySet is a function as a jwt.KeySet.
type keySet func(ctx context.Context) ([]*jwt.Key, error)

func (f keySet) Keys(ctx context.Context, _ jwt.Header) ([]*jwt.Key, error) { return f(ctx) }

// extractor maps those of passport-jwt to ours, and says under which scheme a token is asked for.
func extractor(spec any) (e bearer.Extractor, scheme string, err error) {
	m, ok := spec.(object)
	if !ok {
		return bearer.Extractor{}, "", nil // the zero Extractor is the Authorization header
	}
	for kind, arg := range m {
		switch kind {
		case "fromHeader":
			return bearer.HeaderField(arg.(string)), "", nil
		case "fromBodyField":
			return bearer.Form(arg.(string)), "", nil
		case "fromUrlQueryParameter":
			return bearer.Query(arg.(string)), "", nil
		case "fromCookie":
			return bearer.Cookie(arg.(string)), "", nil
		case "fromAuthHeaderWithScheme":
			return bearer.AuthScheme(arg.(string)), arg.(string), nil
		case "fromAuthHeaderAsBearerToken":
			return bearer.Header(), "", nil
		case "versionOneCompatibility":
			return bearer.First(bearer.AuthScheme("JWT"), bearer.Form("auth_token"), bearer.Query("auth_token")), "JWT", nil
		case "custom":
			return bearer.Func(func(r *http.Request) (string, error) {
				return strings.TrimPrefix(r.Header.Get(arg.(string)), "v1:"), nil
			}), "", nil
		case "fromExtractors":
			list, _ := arg.([]any)
			var all []bearer.Extractor
			for _, one := range list {
				e, _, err := extractor(one)
				if err != nil {
					return e, "", err
				}
				all = append(all, e)
			}
			return bearer.First(all...), "", nil
		}
	}
	return e, "", errors.New("conformance: unknown extractor")
}

// script does what a row's script says.
func (spec *tableStrategy) script(r *http.Request) (personOutcome, error) {
	user, do := "", spec.Do
	if spec.User != nil {
		user = *spec.User
	}
	if do == "by header" {
		user, do = r.Header.Get("X-"+spec.Name), "success"
		if user == "" {
			return spec.refusal(true), nil
		}
	}
	switch do {
	case "success":
		if user == "" {
			return passport.Success[*person](nil, nil), nil
		}
		return passport.Success(&person{user}, spec.Info), nil
	case "option":
		return passport.Success(&person{"option read"}, nil), nil // of its own configuration
	case "fail", "fail with a number":
		return spec.refusal(false), nil
	case "redirect":
		return passport.Redirect[*person](spec.URL, spec.Status), nil
	case "pass":
		return passport.Pass[*person](), nil
	case "error":
		return personOutcome{}, errDown
	case "throw":
		panic("bug")
	}
	return personOutcome{}, nil
}

func (spec *tableStrategy) refusal(absent bool) personOutcome {
	f := passport.Failure{Absent: absent}
	if spec.Status != 0 {
		f.Problem = problem.New(spec.Status, "refused", "Refused.")
	}
	if line, ok := spec.Ask.(string); ok {
		scheme, rest, _ := strings.Cut(line, " ")
		c := problem.Challenge{Scheme: scheme}
		if name, value, ok := strings.Cut(rest, "="); ok {
			c.Params = []problem.Param{{Name: name, Value: strings.Trim(value, `"`)}}
		}
		f.Challenges = []problem.Challenge{c}
	}
	return passport.Fail[*person](f)
}
