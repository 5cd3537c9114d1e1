package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/problem"
)

func queried(raw string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.RawQuery = raw
	return r
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]map[string]string{
		"":                                    {},
		"&&":                                  {},
		"limit=5":                             {"limit": "5"},
		"limit=5&prefix=a%2Bb+c":              {"limit": "5", "prefix": "a+b c"},
		"prefix":                              {"prefix": ""},
		"prefix=%C3%A9":                       {"prefix": "é"},
		"limit=5&limit=5":                     nil,
		"limit=5&%6cimit=6":                   nil,
		"Limit=5":                             nil,
		"limit[]=5":                           nil,
		"limit[$gt]=":                         nil,
		"=5":                                  nil,
		"limit=5&secret=x":                    nil,
		"limit=5;prefix=a":                    nil,
		"limit=%zz":                           nil,
		"limit=%":                             nil,
		"prefix=%ff":                          nil,
		"prefix=a" + strings.Repeat("&", 200): nil,
	} {
		got, err := api.Query(queried(raw), "limit", "prefix")
		var refused *problem.Error
		switch {
		case want == nil && (!errors.As(err, &refused) || refused.Status != http.StatusBadRequest || refused.Code != "invalid_query"):
			t.Errorf("%q: %v, %v", raw, got, err)
		case want != nil && (err != nil || !cmp.Equal(got, want)):
			t.Errorf("%q: %v, %v", raw, got, err)
		}
	}
	if _, err := api.Query(queried("limit=5")); err == nil {
		t.Error("a route without parameters takes one")
	}
}

// FuzzQuery: what is taken is what a query of these parameters says, each once.
func FuzzQuery(f *testing.F) {
	for _, raw := range []string{"limit=5&prefix=a%2Bb+c", "limit=5;prefix=a", "prefix=%ff", "&&=", "limit=1&limit=1"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := api.Query(queried(raw), "limit", "prefix")
		if err != nil {
			if problem.From(err).Status != http.StatusBadRequest {
				t.Fatal(err)
			}
			return
		}
		again := url.Values{}
		for name, value := range got {
			again.Set(name, value)
		}
		same, err := api.Query(queried(again.Encode()), "limit", "prefix")
		if err != nil || !cmp.Equal(got, same) {
			t.Fatalf("%q is %v, and written again %v (%v)", raw, got, same, err)
		}
	})
}
