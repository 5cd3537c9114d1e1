package apikey_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/apikey"
)

func Example() {
	key := apikey.Generate() // show key.Reveal() to its owner, once; keep the id and the hash
	records := map[string]apikey.Record[*passport.Principal]{
		key.ID(): {Hash: key.Hash(), User: &passport.Principal{ID: "mike", Key: key.ID(), Scopes: []string{"orders:read"}}},
	}
	keys, err := apikey.New(func(_ context.Context, id string) (apikey.Record[*passport.Principal], bool, error) {
		r, ok := records[id] // ask a database here
		return r, ok, nil
	}, apikey.Options{Realm: "orders"})
	if err != nil {
		panic(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*passport.Principal]{Name: "apikey", Strategy: keys})
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*passport.Principal]{}, "apikey")
	if err != nil {
		panic(err)
	}
	orders := guard.Require(passport.RequireScope("orders:read")).HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request, id passport.Identity[*passport.Principal]) {
			fmt.Fprintf(w, "orders of %s", id.User.ID)
		})

	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("X-API-Key", key.Reveal())
	w := httptest.NewRecorder()
	orders.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 orders of mike
}
