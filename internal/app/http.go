package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/problem"
)

// Health is the answer to /healthz and /readyz.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// JWKS is the answer to /.well-known/jwks.json.
type JWKS struct {
	Keys []map[string]any `json:"keys" nullable:"false" doc:"Public keys, as RFC 7517 writes them"`
}

// readyTimeout bounds how long /readyz waits for the database.
const readyTimeout = 2 * time.Second

// operationRoutes adds the routes that operators and other services ask.
func (a *App) operationRoutes(rt *api.Router) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/healthz", ID: "health", Tag: "Operation",
		Summary: "Say that the process lives", OK: Health{},
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { api.JSON(w, Health{Status: "ok"}) }))

	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/readyz", ID: "ready", Tag: "Operation",
		Summary: "Say whether requests are welcome: the database answers, and the server is not about to stop",
		OK:      Health{}, Problems: []int{503},
	}, http.HandlerFunc(a.ready))

	jwks := json.RawMessage(a.Tokens.JWKS())
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/.well-known/jwks.json", ID: "jwks", Tag: "Operation",
		Summary: "The public keys that tokens verify with", OK: JWKS{},
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		api.JSON(w, jwks)
	}))
}

func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	notReady := problem.New(http.StatusServiceUnavailable, "not_ready", "The server does not take requests now.").WithRetryAfter(time.Second)
	if a.draining.Load() {
		problem.Write(w, notReady)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.Store.Ping(ctx); err != nil {
		api.Fail(a.log, w, r, notReady.WithCause(err))
		return
	}
	api.JSON(w, Health{Status: "ok"})
}
