package main

import (
	"net/http"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/exampletest"
)

func TestOrders(t *testing.T) {
	exampletest.Run(t, exampletest.Example{
		Routes: func(people, programs *guard, ran func()) http.Handler {
			mux := routes(people, programs)
			add := func(path string, then http.HandlerFunc) {
				mux.Handle("GET "+path, people.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ran(); then(w, r) })))
			}
			add("/probe", func(http.ResponseWriter, *http.Request) {})
			add("/panics", func(http.ResponseWriter, *http.Request) { panic("a mistake") })
			add("/fails", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no tea", http.StatusTeapot) })
			return mux
		},
		Panics: 0, Fails: http.StatusTeapot, // net/http ends the connection of a handler that panics
	})
}
