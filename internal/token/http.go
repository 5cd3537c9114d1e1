package token

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/jwt"
)

// JWKS is the answer to /.well-known/jwks.json.
type JWKS struct {
	Keys []map[string]any `json:"keys" nullable:"false" doc:"Public keys, as RFC 7517 writes them: those that sign, will sign, and have signed tokens that are still good"`
}

// Metadata is the answer to /.well-known/openid-configuration.
type Metadata struct {
	Issuer        string          `json:"issuer" doc:"The iss of tokens"`
	JWKSURI       string          `json:"jwks_uri" doc:"Where the public keys are"`
	ResponseTypes []string        `json:"response_types_supported" nullable:"false" doc:"None: there is no authorization endpoint"`
	SubjectTypes  []string        `json:"subject_types_supported" nullable:"false" doc:"The sub of a user is the same for everybody"`
	SigningAlgs   []jwt.Algorithm `json:"id_token_signing_alg_values_supported" nullable:"false" doc:"What tokens are signed with at present"`
	ACRs          []string        `json:"acr_values_supported" nullable:"false" doc:"The values of acr"`
	Claims        []string        `json:"claims_supported" nullable:"false" doc:"The claims that tokens may have"`
	Feed          string          `json:"countersign_revocation_feed,omitempty" doc:"Where it says which sessions have ended; absent when the server does not say so to others"`
}

// ownClaims are the claims that every token may have.
var ownClaims = []string{"iss", "sub", "aud", "exp", "iat", "jti", "sid", "user", "epoch", "auth_time", "acr", "amr", "roles"}

// Routes adds the documents by which other services find the keys, and the revocation feed, which is at feedPath; empty for
// none.
func (s *Service) Routes(rt *api.Router, feedPath string) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/.well-known/jwks.json", ID: "jwks", Tag: "Operation",
		Summary: "The public keys that tokens verify with", OK: JWKS{}, NotModified: true,
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ring := s.ring.Load()
		s.serve(w, r, ring.etag, ring.jwks)
	}))
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/.well-known/openid-configuration", ID: "metadata", Tag: "Operation",
		Summary:     "What verifiers of tokens need to know of this server",
		Description: "Of OpenID Connect Discovery 1.0, what is true: the server does not make ID tokens yet, and has no authorization endpoint.",
		OK:          Metadata{}, NotModified: true,
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc := encode(s.metadata(feedPath))
		s.serve(w, r, etag(doc), doc)
	}))
}

// metadata says what is true today. The algorithms are there because verifiers that find the issuer by this document take
// RS256 alone if it does not say more.
func (s *Service) metadata(feedPath string) Metadata {
	base := strings.TrimSuffix(s.cfg.Issuer, "/")
	feed := ""
	if feedPath != "" {
		feed = base + feedPath
	}
	var algs []jwt.Algorithm
	for _, k := range s.ring.Load().keys {
		algs = append(algs, k.Algorithm())
	}
	slices.Sort(algs)
	return Metadata{
		Issuer: s.cfg.Issuer, JWKSURI: base + "/.well-known/jwks.json",
		ResponseTypes: []string{}, SubjectTypes: []string{"public"}, SigningAlgs: slices.Compact(algs), ACRs: []string{oneFactor},
		Claims: slices.Concat(ownClaims, s.cfg.Claims.Names()), Feed: feed,
	}
}

// maxFresh is for how long a key set may be kept at most.
const maxFresh = 5 * time.Minute

// serve answers with a document that others may keep, so long that two copies in a row, a proxy's and a verifier's, are
// both renewed while a new key is published and does not sign yet.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, etag string, body []byte) {
	fresh := min(maxFresh, s.cfg.PublishAhead/2)
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, must-revalidate", int(fresh.Seconds())))
	h.Set("ETag", etag)
	if api.Matches(r, etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	_, _ = w.Write(body) // what fails here is the connection
}
