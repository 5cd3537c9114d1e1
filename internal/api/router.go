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
	literal map[string][]route // those without a wildcard, by path, for which the mux need not be asked
	methods []string           // that any route has
	doc     *huma.OpenAPI
}

// route is one method on a path.
type route struct {
	method, pattern string
	handler         http.Handler
}

// NewRouter returns a Router without routes, whose document describes the API of that title at that URL.
func NewRouter(title, version, description, url string) *Router {
	rt := &Router{
		mux:     http.NewServeMux(),
		literal: map[string][]route{},
		doc: &huma.OpenAPI{
			OpenAPI:    "3.1.0",
			Info:       &huma.Info{Title: title, Version: version, Description: description},
			Servers:    []*huma.Server{{URL: url}},
			Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)},
		},
	}
	rt.mux.HandleFunc(everything, rt.unknown)
	return rt
}

// Handle adds a route: the operation's method and path, answered by h. A segment {name} of the path stands for any text,
// which h gets by [http.Request.PathValue]. A route given twice panics.
func (rt *Router) Handle(op *Operation, h http.Handler) {
	pattern := op.Method + " " + op.Path
	rt.mux.Handle(pattern, h)
	if !strings.Contains(op.Path, "{") && !strings.HasSuffix(op.Path, "/") {
		rt.literal[op.Path] = append(rt.literal[op.Path], route{op.Method, pattern, h})
	}
	for _, method := range []string{op.Method, http.MethodHead} {
		if (method == op.Method || op.Method == http.MethodGet) && !slices.Contains(rt.methods, method) {
			rt.methods = append(rt.methods, method)
		}
	}
	slices.Sort(rt.methods)
	if !op.Hidden {
		rt.Describe(op)
	}
}

// Describe adds a route to the OpenAPI document that a [Mount] answers.
func (rt *Router) Describe(op *Operation) {
	rt.doc.AddOperation(op.build(rt.doc.Components.Schemas))
}

// ServeHTTP implements [http.Handler]. A path that is not in its plain form, such as //user/profile, is unknown:
// no spelling of a path leads around a rule that a proxy or a guard has for the plain one.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawPath == "" {
		for _, route := range rt.literal[r.URL.Path] { // which the mux prefers to all others, too
			if route.method == r.Method {
				r.Pattern = route.pattern // as the mux does
				route.handler.ServeHTTP(w, r)
				return
			}
		}
	}
	if p := r.URL.Path; p == "" || p[0] != '/' || path.Clean(p) != p || r.URL.RawPath != "" {
		problem.Write(w, errNotFound)
		return
	}
	rt.mux.ServeHTTP(w, r)
}

var errNotFound = problem.New(http.StatusNotFound, "not_found", "There is nothing at this path.")

// everything is the pattern of unknown, which takes what no route does.
const everything = "/"

// unknown answers what no route takes: 405 when the path has other methods, else 404.
func (rt *Router) unknown(w http.ResponseWriter, r *http.Request) {
	allow := rt.allowed(r)
	if len(allow) == 0 {
		problem.Write(w, errNotFound)
		return
	}
	e := problem.New(http.StatusMethodNotAllowed, "method_not_allowed", "This path does not take this method.")
	e.Allow = allow
	problem.Write(w, e)
}

// allowed returns the methods that the path of r has a route for, sorted.
func (rt *Router) allowed(r *http.Request) (methods []string) {
	for _, method := range rt.methods {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := rt.mux.Handler(probe); pattern != everything {
			methods = append(methods, method)
		}
	}
	return methods
}
