package main

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/countersign-auth/countersign/internal/testkit/exampletest"
)

func TestOrders(t *testing.T) {
	exampletest.Run(t, exampletest.Example{
		Routes: func(people, programs *guard, ran func()) http.Handler {
			r := routes(people, programs)
			r.Group(func(r chi.Router) {
				r.Use(people.Handler)
				r.Get("/probe", func(http.ResponseWriter, *http.Request) { ran() })
				r.Get("/panics", func(http.ResponseWriter, *http.Request) { ran(); panic("a mistake") })
				r.Get("/fails", func(w http.ResponseWriter, _ *http.Request) { ran(); http.Error(w, "no tea", http.StatusTeapot) })
			})
			return r
		},
		Panics: http.StatusInternalServerError, Fails: http.StatusTeapot,
	})
}
