package admin_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// pages returns the ids of all pages of a list, and how many these are.
func pages(t *testing.T, s *testkit.Server, query string) (ids []string, n int) {
	t.Helper()
	for after := ""; ; n++ {
		var page struct {
			Users []struct{ ID string }
			Next  string
		}
		res := do(t, s, "GET", users+"?"+query+"&after="+after, "")
		if err := json.Unmarshal([]byte(res.Body), &page); err != nil || res.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, res.Status, res.Body)
		}
		for _, u := range page.Users {
			ids = append(ids, u.ID)
		}
		if after = page.Next; after == "" {
			return ids, n + 1
		}
	}
}

func TestUsersComePageByPage(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	var all, found []string
	for i := range 60 {
		id := fmt.Sprintf("id/%02d é", 59-i)
		email := fmt.Sprintf("User%02d@Example.com", i)
		if i%3 == 0 {
			email = fmt.Sprintf("mike+%02d@example.com", i)
			found = append(found, id)
		}
		add(t, s, id, email)
		all = append(all, id)
	}
	slices.Sort(all)
	for _, c := range []struct {
		query string
		want  []string
		pages int
	}{
		{"limit=200", all, 1},
		{"", all, 2},
		{"limit=7", all, 9},
		{"limit=60", all, 1},
		{"limit=1&prefix=", all, 60},
		{"prefix=MIKE%2B", found, 1},
		{"prefix=mike%2B&limit=3", found, 7},
		{"prefix=mike%2B&limit=20", found, 1},
		{"prefix=mike%2B03@EXAMPLE.com", found[1:2], 1},
		{"prefix=%EF%BC%ADike", found, 1}, // a fullwidth M
		{"prefix=nobody", nil, 1},
		{"prefix=%27%20OR%201=1", nil, 1},
		{"prefix=%25", nil, 1},
		{"prefix=" + strings.Repeat("x", 5000), nil, 1},
	} {
		if got, n := pages(t, routes, c.query); !slices.Equal(got, c.want) || n != c.pages {
			t.Errorf("%.40s: %d pages, %q", c.query, n, got)
		}
	}
}

func TestHostileQueries(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	add(t, s, "x", "mike@example.com")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for query, want := range map[string]int{
		"limit=0": 400, "limit=201": 400, "limit=-1": 400, "limit=": 400, "limit=1.0": 400, "limit=1e2": 400, "limit=0x10": 400,
		"limit=99999999999999999999": 400, "limit=1&limit=1": 400, "limit[]=1": 400, "Limit=1": 400, "offset=1": 400, "$where=1": 400,
		"prefix=a&prefix=b": 400, "prefix[$regex]=.*": 400, "prefix=%ff": 400, "prefix=%zz": 400, "a;b": 400,
		"after=!": 400, "after=" + encode("i"): 400, "after=" + encode("amike@example.com"): 400,
		"after=" + encode("x") + "%0a": 400, "after=" + encode("ix") + "==": 400, "after=" + url.QueryEscape(encode("ix")+"\n"): 400,
		"prefix=mi&after=" + encode("ix"): 400, "prefix=mi&after=" + encode("anobody"): 400,
		"after=" + encode("i\xff"): 200, "after=" + encode("i\x00"): 200, "prefix=mi&after=" + encode("ami\xff"): 200,
		"prefix=%00": 200, "after=" + encode("i"+strings.Repeat("x", 5000)): 200, "secret_token=x": 400, "api_key=x": 400,
	} {
		res := do(t, routes, "GET", users+"?"+query, "")
		if res.Status != want || want == 400 && res.Code() != "invalid_query" {
			t.Errorf("%.60s: %d %s", query, res.Status, res.Body)
		}
	}
	for _, path := range []string{"/x", "/x/sessions"} {
		if res := do(t, routes, "GET", users+path+"?limit=1", ""); res.Code() != "invalid_query" {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
}

// FuzzListQuery has lists asked for by whatever a query may be: each is a page or is refused, and a page's cursor goes on.
func FuzzListQuery(f *testing.F) {
	for _, seed := range []string{"limit=1", "prefix=mi&limit=1", "after=aXg", "prefix=m&after=YW1pa2VAZXhhbXBsZS5jb20", "prefix=%EF%BC%AD", "after=aQA", "limit=01", "after=aXj_"} {
		f.Add(seed)
	}
	server, routes := start(f)
	for i := range 5 {
		add(f, server, fmt.Sprint("x", i), fmt.Sprintf("mike+%d@example.com", i))
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' }) {
			t.Skip("no client sends it so")
		}
		req := routes.Request(t, "GET", users, "", adminKey)
		req.URL.RawQuery = query
		res := routes.Do(t, req)
		var page struct{ Next string }
		switch {
		case res.Status == http.StatusBadRequest && res.Code() == "invalid_query":
			return
		case res.Status != http.StatusOK || json.Unmarshal([]byte(res.Body), &page) != nil:
			t.Fatalf("%q: %d %s", query, res.Status, res.Body)
		case page.Next == "":
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q is taken: %v", query, err)
		}
		values.Set("after", page.Next)
		if next := do(t, routes, "GET", users+"?"+values.Encode(), ""); next.Status != http.StatusOK || next.Body == res.Body {
			t.Fatalf("%q, and then: %d %s", query, next.Status, next.Body)
		}
	})
}
