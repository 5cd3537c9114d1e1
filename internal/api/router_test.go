package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/api"
)

func TestRouterTakesPathsWithParameters(t *testing.T) {
	t.Parallel()
	rt := api.NewRouter("Test", "1", "", "http://example.com")
	rt.Security("")
	answer := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Pattern+" "+r.PathValue("id"))
	}
	for _, op := range []api.Operation{
		{Method: "GET", Path: "/things", ID: "list", Tag: "Things"},
		{Method: "DELETE", Path: "/things/{id}", ID: "delete", Tag: "Things", Bearer: true, Status: 204},
		{Method: "PUT", Path: "/things/{id}", ID: "put", Tag: "Things"},
		{Method: "GET", Path: "/things/{id}/parts/{part}", ID: "part", Tag: "Things"},
		{Method: "POST", Path: "/things/all", ID: "all", Tag: "Things"},
		{Method: "GET", Path: "/people", ID: "people", Tag: "People", Key: true, Query: []api.Parameter{{Name: "limit", Doc: "How many", Value: 0}}},
		{Method: "GET", Path: "/people/{id}", ID: "person", Tag: "People", Key: true, AnyID: true},
		{Method: "GET", Path: "/people/{id}/parts", ID: "partsOfPerson", Tag: "People", Key: true, AnyID: true},
	} {
		rt.Handle(&op, http.HandlerFunc(answer))
	}
	if err := rt.ServeDocs(); err != nil {
		t.Fatal(err)
	}
	do := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}

	for _, c := range []struct {
		method, path string
		status       int
		want         string // the body, or the methods allowed
	}{
		{"DELETE", "/things/7", 200, "DELETE /things/{id} 7"},
		{"DELETE", "/things/a%20b", 200, "DELETE /things/{id} a b"},
		{"POST", "/things/all", 200, "POST /things/all "},
		{"PUT", "/things/all", 200, "PUT /things/{id} all"},
		{"GET", "/things/7", 405, "DELETE, PUT"},
		{"GET", "/things/all", 405, "DELETE, POST, PUT"},
		{"PUT", "/things/7/parts/x", 405, "GET, HEAD"},
		{"BREW", "/things", 405, "GET, HEAD"},
		{"DELETE", "/things/", 404, ""},
		{"DELETE", "/things/a%2fb", 404, ""},
		{"DELETE", "/things/7/parts", 404, ""},
		{"DELETE", "/things/7/", 404, ""},
		{"GET", "//things", 404, ""},
		{"GET", "/", 404, ""},
		{"GET", "/people/a%2fb", 200, "GET /people/{id} a/b"},
		{"GET", "/people/mike%40example.com", 200, "GET /people/{id} mike@example.com"},
		{"GET", "/people/mike@example.com", 200, "GET /people/{id} mike@example.com"},
		{"GET", "/people/(a)%3b!", 200, "GET /people/{id} (a);!"},
		{"HEAD", "/people/a%2fb", 200, "GET /people/{id} a/b"},
		{"GET", "/people/a%2Fparts", 200, "GET /people/{id} a/parts"},
		{"GET", "/people/a%2Fparts/parts", 200, "GET /people/{id}/parts a/parts"},
		{"GET", "/people/%257e", 200, "GET /people/{id} %7e"},
		{"GET", "/people/%2e%2e", 404, ""},
		{"GET", "/people/%2E%2E/parts", 404, ""},
		{"GET", "/people/..%2f..%2fthings", 404, ""},
		{"GET", "/people/a%2f..%2fb", 404, ""},
		{"GET", "/people/a%2f%2fb", 404, ""},
		{"GET", "/people/a%2f", 404, ""},
		{"GET", "/people/%2f", 404, ""},
		{"GET", "/people%2fa", 404, ""},
		{"GET", "/%70eople/a%2fb", 404, ""},
		{"GET", "/people/a%2fb/part%73", 404, ""},
		{"GET", "/%70eople", 404, ""},
		{"GET", "/People/a%2fb", 404, ""},
		{"GET", "/people/a%2fb/", 404, ""},
		{"PUT", "/people/a%2fb", 404, ""},
	} {
		res := do(c.method, c.path)
		got := res.Header().Get("Allow")
		if c.status == 200 {
			got = res.Body.String()
		}
		if res.Code != c.status || got != c.want {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, res.Code, got, c.status, c.want)
		}
	}

	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Required bool
			}
			Responses map[string]any
			Security  []map[string][]string
		}
	}
	if err := json.Unmarshal(do("GET", "/openapi.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	del := doc.Paths["/things/{id}"]["delete"]
	if p := del.Parameters; len(p) != 1 || p[0].Name != "id" || p[0].In != "path" || !p[0].Required || del.Responses["204"] == nil {
		t.Errorf("the document has %+v", del)
	}
	if p := doc.Paths["/things/{id}/parts/{part}"]["get"].Parameters; len(p) != 2 || p[1].Name != "part" {
		t.Errorf("the document has %+v", p)
	}
	person := doc.Paths["/people"]["get"]
	if p := person.Parameters; len(p) != 1 || p[0].Name != "limit" || p[0].In != "query" || p[0].Required || len(person.Security) != 1 || person.Security[0]["key"] == nil {
		t.Errorf("the document has %+v", person)
	}
	page := do("GET", "/docs").Body.String()
	for _, want := range []string{"<h3>In the path</h3>", "$URL/things/$ID/parts/$PART", "<h3>Answer 204 No Content</h3>", "<code>/things/{id}</code>",
		"<h3>In the query</h3>", `-H &#34;X-API-Key: $KEY&#34;`, "an API key</a>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
}
