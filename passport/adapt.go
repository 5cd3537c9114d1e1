package passport

import (
	"context"
	"net/http"

	"github.com/countersign-auth/countersign/problem"
)

// Map makes a strategy for users of type V out of one for users of type U, for a registry has one user type. After a
// success, convert finds the V that the U stands for; false means that there is none, which refuses the request with 401,
// and an error is handled as by [FromError]. All other outcomes and the info are kept.
func Map[U, V any](s Strategy[U], convert func(ctx context.Context, user U) (V, bool, error)) Strategy[V] {
	return StrategyFunc[V](func(r *http.Request) (Outcome[V], error) {
		o, err := s.Authenticate(r)
		if err != nil {
			return Outcome[V]{inURL: o.inURL}, err
		}
		out := Outcome[V]{kind: o.kind, inURL: o.inURL, info: o.info, other: o.other}
		if o.kind != Succeeded {
			return out, nil
		}
		user, ok, err := convert(r.Context(), o.user)
		if err != nil {
			out, err = FromError[V](err)
		} else if ok {
			out.user = user
		} else {
			out = Fail[V](Failure{Problem: problem.New(http.StatusUnauthorized, "unauthorized", "These credentials open nothing here.")})
		}
		out.inURL = o.inURL
		return out, err
	})
}
