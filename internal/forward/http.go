package forward

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Config is what a Handler is made of. What may be left out says so.
type Config struct {
	Rules *Rules
	// Proxies are the only ones that get an answer.
	Proxies api.Proxies
	// Tokens knows the holders of access tokens, and Keys the owners of API keys; nil Keys means that there are none.
	Tokens passport.Strategy[*token.Holder]
	Keys   passport.Strategy[*passport.Principal]
	// Cookies are those that Tokens looks at.
	Cookies session.Cookies
	// SignFor signs assertions, in the name of Issuer.
	SignFor func(typ string, c jwt.Claims) (string, error)
	Issuer  string
	// Realm is the realm of challenges.
	Realm string
	// LoginURL is where browsers are sent to log in: a URL, or a path on the host that they are at. Empty means nowhere.
	LoginURL string
	// Origins are those whose pages may send requests that change something with the cookies of the guarded hosts, beside
	// these hosts themselves. None is fine.
	Origins []string
	Log     *slog.Logger
	Now     func() time.Time
}

// Handler answers the questions of proxies. It is safe for concurrent use.
type Handler struct {
	Config
	kept     *introductions
	nobody   *introduction
	sameSite *http.CrossOriginProtection
	// errNobody is the answer when credentials are missing.
	errNobody *problem.Error
}

// New returns a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Rules == nil || cfg.Tokens == nil || cfg.SignFor == nil || cfg.Log == nil || cfg.Now == nil {
		return nil, errors.New("forward: New needs rules, tokens, a signer, a log and a clock")
	}
	h := &Handler{
		Config: cfg, kept: &introductions{seed: maphash.MakeSeed()}, nobody: &introduction{}, sameSite: http.NewCrossOriginProtection(),
		errNobody: problem.New(http.StatusUnauthorized, "unauthorized", "This needs a token.").WithChallenges(problem.Bearer(cfg.Realm)),
	}
	for _, o := range cfg.Origins {
		if err := h.sameSite.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("forward: %w", err)
		}
	}
	return h, nil
}

// Routes returns where the handler is to be, and describes it.
func (h *Handler) Routes(rt *api.Router) *api.Mount {
	op := api.Operation{
		Method: http.MethodGet, Path: mount, ID: "forward_auth", Tag: "Proxies",
		Summary: "Say whether a proxy may let a request pass",
		Description: "For the proxies of trusted_proxies alone, by any method: about the request of X-Forwarded-Method, -Host and -Uri, by its " +
			"Authorization, X-API-Key and Cookie. The answer to what may pass has X-User-Id, X-User-Email, X-User-Roles, X-User-Scopes and X-User-Assertion, " +
			"empty where there is nothing to say. Browsers are sent to login_url. With ?for=nginx the answer is 200, 401 or 403, " +
			"and X-Login-Url has where a browser should go.",
		Bearer: true, Redirects: true, Problems: []int{400, 401},
	}
	rt.Describe(&op)
	below := op
	below.Path, below.ID = mount+"/{path}", "forward_auth_path"
	below.Summary = "Say whether a proxy may let a request pass that it sends on with its path behind this one"
	below.Description = "As /forward-auth, about the method, the host and the path (of any number of segments) of the request itself."
	rt.Describe(&below)
	return &api.Mount{Path: mount, Handler: h}
}

var (
	errUntrusted = problem.New(http.StatusForbidden, "untrusted_proxy",
		"Only the proxies that trusted_proxies lists are answered here.")
	errForwardedMissing = problem.New(http.StatusBadRequest, "forwarded_headers_missing",
		"The proxy must send X-Forwarded-Method, X-Forwarded-Host and X-Forwarded-Uri.")
	errForwardedInvalid = problem.New(http.StatusForbidden, "forwarded_headers_invalid",
		"The method, host, scheme or target of the request is there twice, or is none.")
	errMethodNotPlain = problem.New(http.StatusForbidden, "method_not_plain",
		"The method is not in upper-case letters, or a header asks to take it for another one.")
	errHeaderNotPlain = problem.New(http.StatusForbidden, "header_not_plain",
		"A header names another path or protocol for the request, or is named like one that the proxy sets but for its hyphens.")
	errPathNotPlain = problem.New(http.StatusForbidden, "path_not_plain",
		"The path is spelled in a way that servers read differently.")
	errNoRule      = problem.New(http.StatusForbidden, "no_rule", "No rule lets this request pass.")
	errCrossOrigin = problem.New(http.StatusForbidden, "cross_origin",
		"This request comes with a cookie from a page of another origin.")
	errSeveral = problem.New(http.StatusBadRequest, "invalid_request", "The request has more than one token; send exactly one.")
)

var (
	varies  = []string{"Authorization, Cookie, X-API-Key, Origin, Accept, Sec-Fetch-Mode, Sec-Fetch-Site"}
	nothing = []string{"0"}
)

const (
	// nginxMount is what nginx asks for.
	nginxMount = mount + nginxQuery
	nginxQuery = "?for=nginx"
)

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Vary"] = varies
	if !h.Proxies.Sent(r) {
		problem.Write(w, errUntrusted)
		return
	}
	q, err := read(r)
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	i, err := h.decide(r, q)
	if err != nil {
		h.refuse(w, r, q, err)
		return
	}
	if r.RequestURI == nginxMount && !strings.HasSuffix(q.target, nginxQuery) { // the query may be the client's, which Caddy can put here
		clear(header) // nginx takes nothing else of an answer, and reads and throws away each line of it
		i.writeKnown(header)
	} else {
		i.write(header)
	}
	header["Content-Length"] = nothing
	w.WriteHeader(http.StatusOK)
}

// decide returns what to say of the caller of a request that may pass. The error is the answer to one that may not.
func (h *Handler) decide(r *http.Request, q *request) (*introduction, error) {
	var room [8]Match
	found := h.Rules.match(q.method, q.host, &q.path, room[:0])
	if !decided(found) {
		return nil, errNoRule
	}
	who, err := h.identify(r, h.carried(r))
	if err == nil && who != nil && who.cookie && h.crosses(r, q) {
		err = errCrossOrigin
	}
	if isPublic(found) && (err != nil || who == nil) { // what everybody may send needs no credentials, not even good ones
		return h.nobody, nil
	}
	switch {
	case err != nil:
		return nil, err
	case who == nil:
		return nil, h.errNobody
	}
	if err := h.meet(found, who); err != nil {
		return nil, err
	}
	audience := found[len(found)-1].Rule.Audience
	if audience == "" {
		audience = q.origin()
	}
	return h.introduce(who, audience)
}

// crosses reports whether a browser sent the request with its cookies from a page of another origin, and it may change
// something. The handshake of a WebSocket opens what no such rule guards any more, so it counts as well.
func (h *Handler) crosses(r *http.Request, q *request) bool {
	method := q.method
	if len(r.Header["Sec-Websocket-Key"]) > 0 || len(r.Header["Upgrade"]) > 0 || r.Header.Get("Sec-Fetch-Mode") == "websocket" {
		method = http.MethodPost
	}
	return h.sameSite.Check(&http.Request{Method: method, Host: q.authority, Header: r.Header, URL: r.URL}) != nil
}

// meet returns the answer to a caller who does not meet what the rules demand. That of a role or a scope goes first: a new
// login would not help.
func (h *Handler) meet(found []Match, who *caller) error {
	now := h.Now()
	for _, m := range found {
		for i := range m.Rule.demands {
			if err := m.Rule.demands[i].Check(&who.Principal, h.Realm, now); err != nil {
				return err
			}
		}
	}
	for _, m := range found {
		if m.Rule.Fresh == 0 {
			continue
		}
		if err := m.Rule.fresh.Check(&who.Principal, h.Realm, now); err != nil {
			return err
		}
	}
	return nil
}

// refuse answers what may not pass. Without a q the request could not be read.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, q *request, err error) {
	nginx := r.RequestURI == nginxMount
	p := problem.From(err)
	if p.Status == http.StatusUnauthorized && q != nil && h.isForLogin(r, q) {
		if !nginx {
			w.Header().Set("Location", h.loginFor(q))
			w.WriteHeader(http.StatusFound)
			return
		}
		w.Header().Set("X-Login-Url", h.loginFor(q))
	}
	if nginx && p.Status < 500 && p.Status != http.StatusUnauthorized && p != errForwardedMissing {
		e := *p // auth_request makes a 500 of every other status
		e.Status, err = http.StatusForbidden, &e
	}
	api.Fail(h.Log, w, r, err)
}

// isForLogin reports whether a request that lacks a login is of a browser that goes somewhere, and can go to the login
// page instead. It cannot when it is there already.
func (h *Handler) isForLogin(r *http.Request, q *request) bool {
	if h.LoginURL == "" || q.method != http.MethodGet && q.method != http.MethodHead || h.carried(r).byHand() {
		return false
	}
	if page, _, _ := strings.Cut(h.LoginURL, "?"); page == q.path.exact || page == q.origin()+q.path.exact {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return slices.ContainsFunc(r.Header["Accept"], func(line string) bool { return strings.Contains(line, "text/html") })
}

// maxReturn is the longest target that the login page is told to return to.
const maxReturn = 2048

// loginFor returns the URL of the login page that leads back to the request. The host in it is one that a rule names: any
// other one the client may have made up, or had made up for it by who wants to have it sent there.
func (h *Handler) loginFor(q *request) string {
	page, origin := h.LoginURL, ""
	if h.Rules.names(q.host) {
		origin = q.origin()
	}
	if page[0] == '/' {
		page = origin + page
	}
	if len(q.target) > maxReturn {
		return page
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	return page + separator + "return_to=" + url.QueryEscape(origin+q.target)
}
