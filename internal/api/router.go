package api

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/countersign-auth/countersign/problem"
)

// Router sends requests to handlers and keeps the OpenAPI document of all that it knows.
// Routes are added before the first request; after that it is safe for concurrent use.
type Router struct {
	mux     *http.ServeMux
	exact   map[string][]route  // by path, what the mux need not be asked for
	methods map[string][]string // by path
	doc     *huma.OpenAPI
}

// route is a pattern without wildcards: one method on one path.
type route struct {
	method, pattern string
	handler         http.Handler
}

// NewRouter returns a Router without routes, whose document describes the API of that title at that URL.
func NewRouter(title, version, description, url string) *Router {
	rt := &Router{
		mux:     http.NewServeMux(),
		exact:   map[string][]route{},
		methods: map[string][]string{},
		doc: &huma.OpenAPI{
			OpenAPI:    "3.1.0",
			Info:       &huma.Info{Title: title, Version: version, Description: description},
			Servers:    []*huma.Server{{URL: url}},
			Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)},
		},
	}
	rt.mux.HandleFunc("/", rt.unknown)
	return rt
}

// Handle adds a route: the operation's method and path, answered by h. A route given twice panics.
func (rt *Router) Handle(op *Operation, h http.Handler) {
	pattern := op.Method + " " + op.Path
	rt.mux.Handle(pattern, h)
	if !strings.Contains(op.Path, "{") && !strings.HasSuffix(op.Path, "/") {
		rt.exact[op.Path] = append(rt.exact[op.Path], route{op.Method, pattern, h})
	}
	rt.methods[op.Path] = append(rt.methods[op.Path], op.Method)
	if op.Method == http.MethodGet {
		rt.methods[op.Path] = append(rt.methods[op.Path], http.MethodHead)
	}
	if !op.Hidden {
		rt.doc.AddOperation(op.build(rt.doc.Components.Schemas))
	}
}

// ServeHTTP implements [http.Handler]. A path that is not in its plain form, such as //user/profile, is unknown:
// no spelling of a path leads around a rule that a proxy or a guard has for the plain one.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawPath == "" {
		for _, route := range rt.exact[r.URL.Path] { // the mux takes none before a literal path and method
			if route.method == r.Method {
				r.Pattern = route.pattern // as the mux does
				route.handler.ServeHTTP(w, r)
				return
			}
		}
	}
	if p := r.URL.Path; p == "" || p[0] != '/' || path.Clean(p) != p || r.URL.RawPath != "" {
		rt.unknown(w, r)
		return
	}
	rt.mux.ServeHTTP(w, r)
}

// unknown answers what no route takes: 405 when the path has other methods, else 404.
func (rt *Router) unknown(w http.ResponseWriter, r *http.Request) {
	allow := rt.methods[r.URL.Path]
	if len(allow) == 0 || r.URL.RawPath != "" {
		problem.Write(w, problem.New(http.StatusNotFound, "not_found", "There is nothing at this path."))
		return
	}
	e := problem.New(http.StatusMethodNotAllowed, "method_not_allowed", "This path does not take this method.")
	e.Allow = slices.Sorted(slices.Values(allow))
	problem.Write(w, e)
}
