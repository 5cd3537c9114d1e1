package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// object returns a JSON object of a body whose members are those of a good creation, one of them replaced.
func creation(name, value string) string {
	members := []struct{ name, value string }{{"email", `"new@example.com"`}, {"password", `"` + testkit.Password + `"`}}
	text, found := "", false
	for _, m := range members {
		if m.name == name {
			m.value, found = value, true
		}
		if m.value != "" {
			text += `,"` + m.name + `":` + m.value
		}
	}
	if !found {
		text += `,"` + name + `":` + value
	}
	return "{" + text[1:] + "}"
}

func TestHostileCreations(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	s.SignUp(t, "mike@example.com")
	add(t, s, "taken", "taken@example.com")
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"nothing", "", 400, "malformed_body"},
		{"an empty object", "{}", 400, "missing_fields"},
		{"no password", creation("password", ""), 400, "missing_fields"},
		{"an empty password", creation("password", `""`), 400, "missing_fields"},
		{"null", creation("password", `null`), 400, "missing_fields"},
		{"a list of addresses", creation("email", `["a@example.com"]`), 400, "invalid_fields"},
		{"an operator", creation("email", `{"$gt":""}`), 400, "invalid_fields"},
		{"a password of an operator", creation("password", `{"$ne":null}`), 400, "invalid_fields"},
		{"a number", creation("email", `1`), 400, "invalid_fields"},
		{"true", creation("email", `true`), 400, "invalid_fields"},
		{"a member twice", creation("email\":\"x@example.com\",\"email", `"y@example.com"`), 400, "malformed_body"},
		{"another case", creation("Email", `"a@example.com"`), 400, "unknown_field"},
		{"a role", creation("role", `"admin"`), 400, "unknown_field"},
		{"verified", creation("verified", `true`), 400, "unknown_field"},
		{"_id", creation("_id", `"1"`), 400, "unknown_field"},
		{"a hash", creation("password_hash", `"x"`), 400, "unknown_field"},
		{"a prototype", creation("__proto__", `{}`), 400, "unknown_field"},
		{"a version", creation("version", `7`), 400, "unknown_field"},
		{"disabled", creation("disabled", `true`), 400, "unknown_field"},
		{"trailing JSON", creation("email", `"a@example.com"`) + "{}", 400, "malformed_body"},
		{"a comment", creation("email", `"a@example.com"/**/`), 400, "malformed_body"},
		{"a BOM", "\ufeff" + creation("email", `"a@example.com"`), 400, "malformed_body"},
		{"NaN", creation("email", `NaN`), 400, "malformed_body"},
		{"a form", "email=a@example.com&password=" + testkit.Password, 400, "malformed_body"},
		{"100,000 deep", creation("data", deep(100_000)), 413, "body_too_large"},
		{"33 deep", creation("data", deep(33)), 400, "malformed_body"},
		{"a megabyte", creation("email", `"`+strings.Repeat("x", 1<<20)+`"`), 413, "body_too_large"},
		{"no address", creation("email", `"'; DROP TABLE users;--@x.com"`), 422, "invalid_fields"},
		{"NUL in the address", creation("email", `"a\u0000@example.com"`), 422, "invalid_fields"},
		{"a short password", creation("password", `"`+testkit.Canary[:7]+`"`), 422, "invalid_fields"},
		{"NUL in the password", creation("password", `"`+testkit.Password+`\u0000"`), 422, "invalid_fields"},
		{"data of 8 KiB and more", creation("data", `{"x":"`+strings.Repeat("y", 8<<10)+`"}`), 422, "invalid_fields"},
		{"data that are a list", creation("data", `[]`), 400, "invalid_fields"},
		{"admin_data that are null", creation("admin_data", `null`), 400, "invalid_fields"},
		{"a role that is none", creation("roles", `["a","B c"]`), 422, "invalid_fields"},
		{"a role that is null", creation("roles", `[null]`), 422, "invalid_fields"},
		{"roles that are a text", creation("roles", `"admin"`), 400, "invalid_fields"},
		{"an id that is a path", creation("id", `"../x"`), 422, "invalid_fields"},
		{"an id that is a dot", creation("id", `"."`), 422, "invalid_fields"},
		{"an id that ends so", creation("id", `"a/"`), 422, "invalid_fields"},
		{"an id of 256 bytes", creation("id", `"`+strings.Repeat("x", 256)+`"`), 422, "invalid_fields"},
		{"an id that does not print", creation("id", `"a\u0007"`), 422, "invalid_fields"},
		{"an id that is a number", creation("id", `7`), 400, "invalid_fields"},
		{"an address that is taken", creation("email", `"MIKE@Example.com"`), 409, "email_taken"},
		{"an id that is taken", creation("id", `"taken"`), 409, "id_taken"},
		{"an id that is taken elsewhere", creation("id", `"Taken"`), 201, ""},
	} {
		res := do(t, routes, "POST", users, c.body)
		if res.Status != c.status || res.Code() != c.code {
			t.Errorf("%s: %d %s", c.name, res.Status, res.Body)
		}
	}
	res := routes.Do(t, routes.Request(t, "POST", users, creation("id", `"x"`), adminKey, "Content-Type: text/plain"))
	if res.Status != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d", res.Status)
	}
	if res := do(t, routes, "POST", users+"?password=x", creation("id", `"x"`)); res.Status != http.StatusBadRequest || res.Code() != "invalid_query" {
		t.Errorf("a query: %d %s", res.Status, res.Body)
	}
	res = do(t, routes, "POST", users, `{"email":"no","password":"x","roles":["?"],"id":".."}`)
	for _, field := range []string{"id", "roles", "email", "password"} {
		if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, `"field":"`+field+`"`) {
			t.Errorf("%s is not named in %d %s", field, res.Status, res.Body)
		}
	}
	all, err := s.App.Store.ListUsers(t.Context(), "", 10)
	if err != nil || len(all) != 3 {
		t.Errorf("%d users (%v)", len(all), err)
	}
}

func TestHostilePatches(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	id := s.SignUp(t, "mike@example.com")
	before, err := s.App.Store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		``:                                   "400 malformed_body",
		`{}`:                                 "400 missing_fields",
		`[]`:                                 "400 invalid_fields",
		`null`:                               "400 missing_fields",
		`{"version":1}`:                      "400 missing_fields",
		`{"disabled":null}`:                  "400 invalid_fields",
		`{"disabled":"true"}`:                "400 invalid_fields",
		`{"disabled":1}`:                     "400 invalid_fields",
		`{"disabled":true,"disabled":false}`: "400 malformed_body",
		`{"disabled":true,"d\u0069sabled":false}`:          "400 malformed_body",
		`{"Disabled":true}`:                                "400 unknown_field",
		`{"disabled":true,"email":"a@b.com"}`:              "400 unknown_field",
		`{"disabled":true,"data":{}}`:                      "400 unknown_field",
		`{"disabled":true,"password":"x"}`:                 "400 unknown_field",
		`{"disabled":true}x`:                               "400 malformed_body",
		`{"roles":null}`:                                   "400 invalid_fields",
		`{"roles":{}}`:                                     "400 invalid_fields",
		`{"roles":[["a"]]}`:                                "400 invalid_fields",
		`{"roles":["A"],"disabled":true}`:                  "422 invalid_fields",
		`{"roles":[` + strings.Repeat(`"a",`, 33) + `""]}`: "422 invalid_fields",
		`{"admin_data":null}`:                              "400 invalid_fields",
		`{"admin_data":[]}`:                                "400 invalid_fields",
		`{"admin_data":{"a":1,"a":2}}`:                     "400 malformed_body",
		`{"admin_data":{"x":"` + strings.Repeat("y", 8<<10) + `"},"disabled":true}`: "422 invalid_fields",
		`{"disabled":true,"version":0}`:                                             "400 invalid_fields",
		`{"disabled":true,"version":-1}`:                                            "400 invalid_fields",
		`{"disabled":true,"version":1.5}`:                                           "400 invalid_fields",
		`{"disabled":true,"version":1e30}`:                                          "400 invalid_fields",
		`{"disabled":true,"version":"1"}`:                                           "400 invalid_fields",
		`{"disabled":true,"version":null}`:                                          "400 invalid_fields",
		`{"disabled":true,"version":2}`:                                             "409 version_conflict",
		`{"roles":["a"],"version":2}`:                                               "409 version_conflict",
	} {
		res := do(t, routes, "PATCH", users+"/"+id, body)
		if got := fmt.Sprint(res.Status, " ", res.Code()); got != want {
			t.Errorf("%.80s: %s, want %s", body, got, want)
		}
	}
	after, err := s.App.Store.User(t.Context(), id)
	if err != nil || !cmp.Equal(before, after) {
		t.Errorf("the user was changed (%v): %s", err, cmp.Diff(before, after))
	}
	for _, body := range []string{`{"disabled":true,"version":1}`, `{"roles":["a"],"version":2}`, `{"admin_data":{},"version":3}`} {
		if res := do(t, routes, "PATCH", users+"/"+id, body); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", body, res.Status, res.Body)
		}
	}
}
