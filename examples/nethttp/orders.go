package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/passport"
)

type guard = passport.Guard[*passport.Principal]

// routes returns the API. People come with a token, programs by the proxy.
func routes(people, programs *guard) *http.ServeMux {
	admins := people.Require(passport.RequireRole("admin"))
	recent := admins.Require(passport.RequireFresh(10 * time.Minute))
	shippers := programs.Require(passport.RequireScope("orders:ship"))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", status)
	mux.Handle("GET /orders", people.Handler(http.HandlerFunc(own)))
	mux.Handle("GET /orders/all", admins.Handler(http.HandlerFunc(all)))
	mux.Handle("DELETE /orders/{id}", recent.Handler(http.HandlerFunc(remove)))
	mux.Handle("POST /orders/{id}/shipment", shippers.Handler(http.HandlerFunc(ship)))
	return mux
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
	write(w, map[string]string{"shipped": r.PathValue("id"), "by": owner.ID})
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
