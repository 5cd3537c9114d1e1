package app

import (
	"context"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/problem"
)

// Health is the answer to /healthz and /readyz.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// readyTimeout bounds how long /readyz waits for the database.
const readyTimeout = 2 * time.Second

// healthRoutes adds the routes that operators ask.
func (a *App) healthRoutes(rt *api.Router) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/healthz", ID: "health", Tag: "Operation",
		Summary: "Say that the process lives", OK: Health{},
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { api.JSON(w, Health{Status: "ok"}) }))

	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/readyz", ID: "ready", Tag: "Operation",
		Summary: "Say whether requests are welcome: the database answers",
		OK:      Health{},
	}, http.HandlerFunc(a.ready))
}

func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	notReady := problem.New(http.StatusServiceUnavailable, "not_ready", "The database does not answer.").WithRetryAfter(time.Second)
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.Store.Ping(ctx); err != nil {
		api.Fail(a.log, w, r, notReady.WithCause(err))
		return
	}
	api.JSON(w, Health{Status: "ok"})
}
