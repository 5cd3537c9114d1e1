package token

import (
	"encoding/json"
	"net/http"

	"github.com/countersign-auth/countersign/internal/api"
)

// JWKS is the answer to /.well-known/jwks.json.
type JWKS struct {
	Keys []map[string]any `json:"keys" nullable:"false" doc:"Public keys, as RFC 7517 writes them"`
}

// Routes adds /.well-known/jwks.json.
func (s *Service) Routes(rt *api.Router) {
	jwks := json.RawMessage(s.jwks)
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/.well-known/jwks.json", ID: "jwks", Tag: "Operation",
		Summary: "The public keys that tokens verify with", OK: JWKS{},
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		api.JSON(w, jwks)
	}))
}
