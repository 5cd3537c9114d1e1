package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// A request is what wrk sends over and over.
type request struct {
	method string
	path   string
	header http.Header
	body   string
}

// A scenario is one kind of load. Logins or a sign-up storm would be further
// values of this type.
type scenario struct {
	title string
	// prepare gives the request for one server, whose account exists. It runs
	// before every round, so that no token grows old.
	prepare func(context.Context, *instance) (request, error)
	// want is in every right answer.
	want string
}

var profileScenario = scenario{
	title: "GET /user/profile with an HS256 token",
	prepare: func(ctx context.Context, i *instance) (request, error) {
		token, err := i.logIn(ctx)
		return request{
			method: http.MethodGet,
			path:   "/user/profile",
			header: http.Header{"Authorization": {"Bearer " + token}},
		}, err
	},
	want: "You made it to the secure route",
}

// probe sends r once and looks at the answer, which wrk does not: to wrk any
// status under 400 is well.
func (s scenario) probe(ctx context.Context, i *instance, r request) error {
	body, err := i.do(ctx, r)
	if err != nil {
		return err
	}
	if !bytes.Contains(body, []byte(s.want)) {
		return fmt.Errorf("%s: %s %s answered 200 without %q", i.label, r.method, r.path, s.want)
	}
	return nil
}
