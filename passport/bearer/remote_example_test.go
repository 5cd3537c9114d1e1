package bearer_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// An API takes the tokens of a Countersign server, and needs to know of it no more than its issuer.
func ExampleNew() {
	server := newIssuerServer(nil) // https://auth.example
	defer server.Close()

	api, err := bearer.New(bearer.Config{Issuer: server.URL, Audience: "https://api.example"})
	if err != nil {
		log.Fatal(err)
	}
	defer api.Close()

	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := passport.UserFrom[*passport.Principal](r.Context())
		fmt.Println("hello,", user.ID)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", api.Guard().Handler(orders))
	mux.Handle("DELETE /orders", api.Guard().Require(passport.RequireRole("admin"), passport.RequireFresh(10*time.Minute)).Handler(orders))

	token := server.token("mike", func(c *jwt.Claims) { c.Audience = []string{"https://api.example"} })
	for _, method := range []string{"GET", "DELETE"} {
		r, w := httptest.NewRequest(method, "/orders", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		mux.ServeHTTP(w, r)
		fmt.Println(method, w.Code)
	}
	// Output:
	// hello, mike
	// GET 200
	// DELETE 403
}
