package hostile

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// A good guard, by which those below differ in one fault each.
func guard(token string) (status int, challenge string) {
	switch token {
	case "":
		return 401, "Bearer"
	case "good":
		return 200, ""
	}
	return 401, `Bearer error="invalid_token"`
}

// TestPlantedFaultsAreFound runs the list against routes that are wrong in one way, and looks for the row that finds it.
func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	good, err := jwt.Sign(key, "at+jwt", jwt.Claims{Issuer: "https://issuer.example", Audience: []string{"https://api.example"}, Subject: "u1", ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	header := func(token string) (h struct{ Alg, Typ string }) {
		_ = json.Unmarshal([]byte(decoded(token)), &h)
		return h
	}
	for name, planted := range map[string]struct {
		row string
		f   func(r *http.Request, token string) (status int, challenge string)
	}{
		"takes none": {"75 none", func(_ *http.Request, token string) (int, string) {
			return open(header(token).Alg == "none", token, good)
		}},
		"takes other types": {"83 typ", func(_ *http.Request, token string) (int, string) {
			return open(header(token).Typ == "JWT", token, good)
		}},
		"takes padding":          {"87 shapes", func(_ *http.Request, token string) (int, string) { return open(token == good+"=", token, good) }},
		"fails on large headers": {"89 bombs", func(_ *http.Request, token string) (int, string) { return fails(len(token) > 3000, token, good) }},
		"lets HEAD through":      {"T6 methods", func(r *http.Request, token string) (int, string) { return open(r.Method == "HEAD", token, good) }},
		"no challenge":           {"T1 no token", func(_ *http.Request, token string) (int, string) { return silent(token, good) }},
		"always an error code":   {"T1 no token", func(_ *http.Request, token string) (int, string) { return guard(as(token+"x", good)) }},
		"trusts a spelling": {"94 spellings of the path", func(r *http.Request, token string) (int, string) {
			return open(strings.HasSuffix(r.URL.Path, "/"), token, good)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
				if scheme != "Bearer" {
					token = ""
				}
				status, challenge := planted.f(r, token)
				w.Header().Set("WWW-Authenticate", challenge)
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(status)
			}))
			defer server.Close()
			target := Target{Addr: server.Listener.Addr().String(), Path: "/user/profile", Good: good, Key: key}.complete()
			found := ""
			for _, row := range target.rows(t) {
				if row.name != planted.row {
					continue
				}
				for _, r := range row.requests {
					found += target.fault(r)
				}
			}
			if found == "" {
				t.Errorf("%s does not find it", planted.row)
			}
		})
	}
}

func as(token, good string) string {
	if token == good {
		return "good"
	}
	return token
}

// open lets a token through if it is good or there is a hole.
func open(hole bool, token, good string) (int, string) {
	if hole {
		return 200, ""
	}
	return guard(as(token, good))
}

func fails(hole bool, token, good string) (int, string) {
	if hole {
		return 500, ""
	}
	return guard(as(token, good))
}

func silent(token, good string) (int, string) {
	status, _ := guard(as(token, good))
	return status, ""
}

func decoded(token string) string {
	head, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(head)
	return string(text)
}
