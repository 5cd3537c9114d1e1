package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/problem"
)

// Query returns the parameters in the query of r by name. It is strict: each may be there once, and none but those named;
// a route that names none takes no query at all. The error is a [problem.Error], 400, and repeats nothing of the query.
func Query(r *http.Request, names ...string) (map[string]string, error) {
	if strings.Count(r.URL.RawQuery, "&") >= maxFields {
		return nil, BadQuery("The query has too many parameters.")
	}
	values, err := url.ParseQuery(r.URL.RawQuery) // which refuses semicolons
	if err != nil {
		return nil, BadQuery("The query is not encoded as it must be.")
	}
	query := make(map[string]string, len(values))
	for name, v := range values {
		switch {
		case !slices.Contains(names, name):
			return nil, BadQuery("The query has a parameter that this route does not know.")
		case len(v) > 1:
			return nil, BadQuery("The query has a parameter twice.")
		case !utf8.ValidString(v[0]):
			return nil, BadQuery("The query is not UTF-8.")
		}
		query[name] = v[0]
	}
	return query, nil
}

// BadQuery is the answer to a query that a route does not take, and says what is wrong with which parameters.
func BadQuery(detail string, fields ...problem.Field) error {
	return problem.New(http.StatusBadRequest, "invalid_query", detail).WithFields(fields...)
}
