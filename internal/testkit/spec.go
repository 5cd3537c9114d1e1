package testkit

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// spec is the server's OpenAPI document, as the tests hold the server to it.
type spec struct {
	doc map[string]any

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema // by their place in the document
}

func loadSpec(t testing.TB, s *Server) *spec {
	t.Helper()
	res, err := client.Get(s.URL + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return &spec{doc: doc.(map[string]any), compiled: map[string]*jsonschema.Schema{}}
}

// check holds an answer against the document and the rules that no document says.
func (sp *spec) check(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	where := fmt.Sprintf("%s %s: %d", req.Method, req.URL.Path, res.StatusCode)
	if bytes.Contains(body, []byte(Canary)) || strings.Contains(fmt.Sprint(res.Header), Canary) {
		t.Errorf("%s: the answer repeats a password:\n%v\n%s", where, res.Header, body)
	}
	if res.StatusCode >= 500 && res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s: %s", where, body)
	}
	media := strings.TrimSuffix(res.Header.Get("Content-Type"), "; charset=utf-8")
	if res.StatusCode >= 400 {
		if media != "application/problem+json" {
			t.Errorf("%s: Content-Type %q is not problem+json", where, media)
		}
		if res.StatusCode == http.StatusUnauthorized && res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no challenge", where)
		}
	}
	toNginx := req.URL.RequestURI() == "/forward-auth?for=nginx" && res.StatusCode == http.StatusOK // which looks at nothing else
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := res.Header.Get(name); got != want && !toNginx {
			t.Errorf("%s: %s is %q", where, name, got)
		}
	}
	responses := sp.responses(req)
	if responses == nil || req.Method == http.MethodHead || res.StatusCode == http.StatusMethodNotAllowed {
		return
	}
	declared, ok := responses[fmt.Sprint(res.StatusCode)].(map[string]any)
	if !ok {
		t.Errorf("%s: the OpenAPI document does not know this status: %s", where, body)
		return
	}
	content, _ := declared["content"].(map[string]any)
	if content == nil {
		return
	}
	if _, ok := content[media]; !ok {
		t.Errorf("%s: the OpenAPI document does not know the media type %q", where, media)
		return
	}
	if err := sp.validate(req, res.StatusCode, media, body); err != nil {
		t.Errorf("%s: the answer is not what the OpenAPI document says: %v\n%s", where, err, body)
	}
}

// responses returns what the document says of the request's route; nil when it is no documented route.
func (sp *spec) responses(req *http.Request) map[string]any {
	paths, _ := sp.doc["paths"].(map[string]any)
	path, _ := paths[sp.path(req)].(map[string]any)
	op, _ := path[strings.ToLower(req.Method)].(map[string]any)
	responses, _ := op["responses"].(map[string]any)
	return responses
}

// path returns the path of the request as the document has it, which may have segments {name} that stand for any text, encoded slashes
// included.
func (sp *spec) path(req *http.Request) string {
	paths, _ := sp.doc["paths"].(map[string]any)
	path := req.URL.EscapedPath()
	if _, ok := paths[path]; ok {
		return path
	}
	for template := range paths {
		if covers(strings.Split(template, "/"), strings.Split(path, "/")) {
			return template
		}
	}
	return ""
}

func covers(template, path []string) bool {
	return slices.EqualFunc(template, path, func(want, got string) bool {
		return want == got || strings.HasPrefix(want, "{") && got != ""
	})
}

func (sp *spec) validate(req *http.Request, status int, media string, body []byte) error {
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	schema, err := sp.schema(fmt.Sprintf("/paths/%s/%s/responses/%d/content/%s/schema",
		escape(sp.path(req)), strings.ToLower(req.Method), status, escape(media)))
	if err != nil {
		return err
	}
	if !strings.HasSuffix(media, "json") { // any other body is a string for the document
		return schema.Validate(string(body))
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// schema compiles the schema at that place in the document, once.
func (sp *spec) schema(place string) (*jsonschema.Schema, error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if s := sp.compiled[place]; s != nil {
		return s, nil
	}
	const base = "http://spec.invalid/openapi.json"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(base, sp.doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(base + "#" + place)
	if err == nil {
		sp.compiled[place] = s
	}
	return s, err
}
