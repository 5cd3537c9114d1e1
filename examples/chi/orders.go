package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/countersign-auth/countersign/passport"
)

type guard = passport.Guard[*passport.Principal]

// routes returns the API. People come with a token, programs by the proxy.
func routes(people, programs *guard) chi.Router {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Get("/status", status)
	r.Group(func(r chi.Router) {
		r.Use(people.Handler)
		r.Get("/orders", own)
	})
	admins := people.Require(passport.RequireRole("admin"))
	r.With(admins.Handler).Get("/orders/all", all)
	r.With(admins.Require(passport.RequireFresh(10*time.Minute)).Handler).Delete("/orders/{id}", remove)
	r.With(programs.Require(passport.RequireScope("orders:ship")).Handler).Post("/orders/{id}/shipment", ship)
	return r
}

func status(w http.ResponseWriter, _ *http.Request) { write(w, map[string]string{"status": "ok"}) }

// own says whose orders these are.
func own(w http.ResponseWriter, r *http.Request) {
	user, _ := passport.UserFrom[*passport.Principal](r.Context())
	write(w, map[string]any{"user": user.ID, "email": user.Email, "orders": []string{}})
}

func all(w http.ResponseWriter, _ *http.Request) { write(w, map[string]any{"orders": []string{}}) }

func remove(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func ship(w http.ResponseWriter, r *http.Request) {
	owner, _ := passport.UserFrom[*passport.Principal](r.Context())
	write(w, map[string]string{"shipped": chi.URLParam(r, "id"), "by": owner.ID})
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
