package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

func template(t testing.TB, items ...string) token.Template {
	t.Helper()
	tpl, err := token.ParseTemplate(items)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// payload returns the claims of a token but for those that change.
func payload(t *testing.T, s *token.Service, g token.Grant) map[string]any {
	t.Helper()
	a, err := s.Mint(g)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(good(t, s, a.Token).Payload(), &claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jti", "iat", "exp"} {
		if claims[name] == nil {
			t.Errorf("no %s", name)
		}
		delete(claims, name)
	}
	return claims
}

func TestMint(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newStore(t), config(t, c.Now))
	g := grant()
	base := map[string]any{
		"iss": issuer, "sub": g.User.ID, "aud": "https://api.example", "sid": g.Session, "epoch": "e1",
		"user": map[string]any{"_id": g.User.ID, "email": "mike@example.com"},
	}
	if diff := cmp.Diff(base, payload(t, s, g)); diff != "" {
		t.Error(diff)
	}
	g.User.Roles, g.AuthAt, g.Methods = []string{"admin", "qua\"nt"}, c.Now().Add(-time.Minute), []string{"pwd"}
	base["roles"], base["auth_time"], base["acr"], base["amr"] = []any{"admin", "qua\"nt"}, float64(g.AuthAt.Unix()), "aal1", []any{"pwd"}
	if diff := cmp.Diff(base, payload(t, s, g)); diff != "" {
		t.Error(diff)
	}

	a, err := s.Mint(g)
	if err != nil || a.TTL != 15*time.Minute {
		t.Fatal(a, err)
	}
	h, ok := token.HolderOf(good(t, s, a.Token))
	want := token.Holder{User: token.User{ID: g.User.ID, Email: g.User.Email}, Session: g.Session, Epoch: "e1", Roles: g.User.Roles, AuthAt: g.AuthAt}
	if diff := cmp.Diff(want, h); diff != "" || !ok {
		t.Error(ok, diff)
	}

	g.NotAfter = c.Now().Add(90 * time.Second)
	if a, err = s.Mint(g); err != nil || a.TTL != 90*time.Second || !good(t, s, a.Token).ExpiresAt.Equal(g.NotAfter) {
		t.Errorf("bounded: %+v, %v", a, err)
	}
	g.NotAfter = c.Now()
	if _, err = s.Mint(g); !errors.Is(err, token.ErrEnded) {
		t.Errorf("over: %v", err)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	cfg := config(t, time.Now)
	cfg.Secret = secret
	cfg.LegacySecret, cfg.LegacyUntil = []byte("TOP_SECRET"), time.Now().Add(time.Hour)
	s := open(t, newStore(t), cfg)
	for _, tt := range []struct {
		name   string
		claims map[string]any
		ok     bool
		want   token.Holder
	}{
		{"by another service", map[string]any{"sub": "u", "user": map[string]any{"_id": "u", "email": "e"}}, true,
			token.Holder{User: token.User{ID: "u", Email: "e"}, Foreign: true}},
		{"by sub alone", map[string]any{"sub": "u"}, true, token.Holder{User: token.User{ID: "u"}, Foreign: true}},
		{"claims that mean something else", map[string]any{"sub": "u", "roles": "admin", "auth_time": "soon", "sid": 7, "epoch": []int{1}}, true,
			token.Holder{User: token.User{ID: "u"}, Foreign: true}},
		{"two users", map[string]any{"sub": "u", "user": map[string]any{"_id": "v"}}, false, token.Holder{}},
		{"nobody", map[string]any{"user": map[string]any{}}, false, token.Holder{}},
	} {
		tt.claims["iss"], tt.claims["aud"], tt.claims["exp"] = issuer, "https://api.example", time.Now().Add(time.Minute).Unix()
		h, ok := token.HolderOf(good(t, s, sign(t, secret, tt.claims)))
		if ok != tt.ok || ok && !cmp.Equal(h, tt.want) {
			t.Errorf("%s: %v, %+v", tt.name, ok, h)
		}
	}
	old := good(t, s, sign(t, []byte("TOP_SECRET"), map[string]any{"user": map[string]any{"_id": "65a1", "email": "m@example.com"}}))
	h, ok := token.HolderOf(old)
	if want := (token.Holder{User: token.User{ID: "65a1", Email: "m@example.com"}, Legacy: true}); !ok || !cmp.Equal(h, want) || !s.Live(old) {
		t.Errorf("legacy: %v, %+v", ok, h)
	}
}

// sign makes a token as a service with that secret would.
func sign(t *testing.T, secret []byte, claims map[string]any) string {
	t.Helper()
	key, err := jwt.NewSecretKey(jwt.HS256, secret, jwt.KeyOptions{InsecureAllowShortSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	c := jwt.Claims{InsecureNoExpiry: true, Extra: map[string]any{}}
	for name, value := range claims {
		switch name {
		case "iss":
			c.Issuer = value.(string)
		case "sub":
			c.Subject = value.(string)
		case "aud":
			c.Audience = []string{value.(string)}
		case "exp":
			c.ExpiresAt, c.InsecureNoExpiry = time.Unix(value.(int64), 0), false
		default:
			c.Extra[name] = value
		}
	}
	text, err := jwt.Sign(key, "JWT", c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	cfg := config(t, time.Now)
	cfg.Claims = template(t, "tenant=acme", "cost=$$5", "id=$id", "email=$email", "since=$created_at", "groups=$roles",
		"name=$data.name", "plan=$admin_data.plan", "theme=$data.theme", "none=$data.none", "nil=$data.nil", "https://acme.example/limits=$admin_data.limits")
	s := open(t, newStore(t), cfg)
	g := grant()
	g.User.CreatedAt, g.User.Roles = time.Unix(1700000000, 0), []string{"a", "b"}
	g.User.Data = []byte(`{"name":"Mike <m> \u2028é","theme":{"dark":true,"dark":false},"nil":null,"exp":9}`)
	g.User.AdminData = []byte(`{"plan":"pro","limits":[1,{"a":"\ud800"}]}`)
	got := payload(t, s, token.Grant{User: g.User, Session: "s"})
	for _, name := range []string{"iss", "sub", "aud", "sid", "epoch", "user", "roles"} {
		delete(got, name)
	}
	want := map[string]any{
		"tenant": "acme", "cost": "$5", "id": g.User.ID, "email": g.User.Email, "since": 1.7e9, "groups": []any{"a", "b"},
		"name": "Mike <m> \u2028é", "plan": "pro", "theme": map[string]any{"dark": false}, "https://acme.example/limits": []any{1., map[string]any{"a": "\ufffd"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, data := range []string{"", "null", "[]", "{", `{"name":`, "7"} { // whatever is there, the token is made
		g.User.Data, g.User.AdminData = []byte(data), []byte(data)
		if got := payload(t, s, g); got["name"] != nil || got["plan"] != nil || got["tenant"] != "acme" {
			t.Errorf("%q: %v", data, got)
		}
	}
}

func TestTemplateSize(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	cfg := config(t, time.Now)
	cfg.Log = logTo(&log)
	cfg.Claims = template(t, "a=$data.a", "b=$data.b", "c=$data.c", "d=constant")
	s := open(t, newStore(t), cfg)
	claims := func(data map[string]any) string {
		g := grant()
		var err error
		if g.User.Data, err = json.Marshal(data); err != nil {
			t.Fatal(err)
		}
		got, names := payload(t, s, g), []string{}
		for _, name := range []string{"a", "b", "c", "d"} {
			if _, ok := got[name]; ok {
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	deep := any(1)
	for range 9 {
		deep = []any{deep}
	}
	text := strings.Repeat
	for _, tt := range []struct {
		data map[string]any
		want string
	}{
		{map[string]any{"a": 1, "b": 2, "c": 3}, "a b c d"},
		{map[string]any{"a": text("x", 1024-7-15)}, "a d"}, // to the byte: "a":"…", and "d":"constant",
		{map[string]any{"a": text("x", 1024-7-14)}, "d"},
		{map[string]any{"a": text("x", 1024-7-14), "b": 2, "c": 3}, "b c d"},
		{map[string]any{"a": text("x", 5000), "b": text("\x01", 100), "c": text("<", 900)}, "b d"},
		{map[string]any{"a": deep, "b": deep.([]any)[0], "c": 3}, "b c d"},
	} {
		if got := claims(tt.data); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, log.String())
	}
}

// What the user writes takes no room from what the operator says, wherever it stands.
func TestTemplateOperatorsFirst(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	cfg := config(t, time.Now)
	cfg.Log = logTo(&log)
	cfg.Claims = template(t, "theme=$data.theme", "mail=$email", "tenant=acme", "id=$id", "restricted=$admin_data.restricted", "groups=$roles", "note=$data.note", "plan=$admin_data.plan")
	s := open(t, newStore(t), cfg)
	text := strings.Repeat
	for _, tt := range []struct{ theme, note, plan, want, log string }{
		{"dark", "n", "pro", "groups id mail note plan restricted tenant theme", ""},
		{text("x", 1000), "n", "pro", "groups id mail note plan restricted tenant", "level=WARN"},
		{text("x", 600), text("x", 600), "pro", "groups id mail plan restricted tenant theme", "level=WARN"},
		{"dark", "n", text("x", 1000), "groups id mail note restricted tenant theme", ": plan"},
		{"dark", "n", text("x", 900), "groups id plan restricted tenant theme", "level=ERROR"}, // an address is chosen too
	} {
		g := grant()
		g.User.Roles = []string{"quant"}
		g.User.Data = fmt.Appendf(nil, `{"theme":%q,"note":%q}`, tt.theme, tt.note)
		g.User.AdminData = fmt.Appendf(nil, `{"restricted":true,"plan":%q}`, tt.plan)
		got, names := payload(t, s, g), []string{}
		for _, name := range cfg.Claims.Names() {
			if _, ok := got[name]; ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if strings.Join(names, " ") != tt.want || tt.log == "" != (log.String() == "") || !strings.Contains(log.String(), tt.log) {
			t.Errorf("got %v, want %v; the log:\n%s", names, tt.want, log.String())
		}
	}
	for _, line := range []string{"level=WARN", "level=ERROR"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%d times %s in:\n%s", n, line, log.String())
		}
	}
	if want := "user " + grant().User.ID + ": plan"; !strings.Contains(log.String(), want) {
		t.Errorf("no %q in:\n%s", want, log.String())
	}
}

func TestTemplateIsChecked(t *testing.T) {
	t.Parallel()
	many := make([]string, 17)
	for i := range many {
		many[i] = fmt.Sprintf("c%d=x", i)
	}
	for _, tt := range []struct {
		items []string
		want  string
	}{
		{many, "at most 16"},
		{[]string{"x"}, "NAME=VALUE"}, {[]string{"=x"}, "NAME=VALUE"}, {[]string{"x="}, "NAME=VALUE"},
		{[]string{"exp=1"}, "meaning of its own"}, {[]string{"SUB=$id"}, "meaning of its own"}, {[]string{"roles=admin"}, "meaning of its own"},
		{[]string{"scp=$data.teams"}, "meaning of its own"}, {[]string{"\u017fub=x"}, "meaning of its own"}, {[]string{"Epoch=x"}, "meaning of its own"},
		{[]string{"x=$name"}, "$ must be followed"}, {[]string{"x=$data"}, "$ must be followed"}, {[]string{"x=$data."}, "$ must be followed"},
		{[]string{"x=$id.y"}, "$ must be followed"}, {[]string{"x=$"}, "$ must be followed"},
		{[]string{"x=1", "x=2"}, "twice"}, {[]string{"x=a\x00b"}, "plain text"}, {[]string{"x=\xff"}, "plain text"},
		{[]string{strings.Repeat("n", 65) + "=x"}, "64 bytes"},
		{[]string{"x=" + strings.Repeat("y", 600), "z=" + strings.Repeat("y", 600)}, "constants take"},
	} {
		if _, err := token.ParseTemplate(tt.items); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.items, err, tt.want)
		}
	}
}

// FuzzTemplate holds that no data of a user keeps their token from being made, or changes what else it says.
func FuzzTemplate(f *testing.F) {
	cfg := config(f, time.Now)
	cfg.Claims = template(f, "a=$data.a", "b=$admin_data.b", "c=$data.exp")
	cfg.Secret = secret
	s := open(f, newStore(f), cfg)
	f.Add([]byte(`{"a":{"x":[1,2,{"y":"\ud800"}]},"exp":1}`), []byte(`{"b":"\u0000","b":1}`))
	f.Add([]byte(`{"a":"`+strings.Repeat("\u2028", 400)+`"}`), []byte(`{"b":1e999}`))
	f.Fuzz(func(t *testing.T, data, admin []byte) {
		g := grant()
		g.User.Data, g.User.AdminData = data, admin
		a, err := s.Mint(g)
		if err != nil {
			t.Fatal(err)
		}
		h, ok := token.HolderOf(good(t, s, a.Token))
		if !ok || h.ID != g.User.ID || h.Epoch != "e1" || len(a.Token) > 3000 {
			t.Fatalf("%+v", h)
		}
	})
}

func BenchmarkMint(b *testing.B) {
	g := grant()
	g.User.Roles, g.AuthAt, g.Methods = []string{"admin"}, time.Now(), []string{"pwd"}
	g.User.Data = []byte(`{"name":"Mike"}`)
	for _, bb := range []struct {
		name   string
		change func(*token.Config)
	}{
		{"ES256", func(*token.Config) {}},
		{"HS256", func(c *token.Config) { c.Secret = secret }},
		{"HS256 with a template", func(c *token.Config) { c.Secret, c.Claims = secret, template(b, "tenant=acme", "name=$data.name") }},
	} {
		cfg := config(b, time.Now)
		bb.change(&cfg)
		s := open(b, newStore(b), cfg)
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Mint(g); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	g := grant()
	g.User.Roles, g.AuthAt, g.Methods = []string{"admin"}, time.Now(), []string{"pwd"}
	for _, shared := range []bool{false, true} {
		cfg := config(b, time.Now)
		name := "ES256"
		if shared {
			cfg.Secret, name = secret, "HS256"
		}
		s := open(b, newStore(b), cfg)
		a, err := s.Mint(g)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), a.Token); err != nil {
					b.Fatal(err)
				}
			}
		})
		tok := good(b, s, a.Token)
		b.Run(name+"/Live", func(b *testing.B) {
			for b.Loop() {
				if !s.Live(tok) {
					b.Fatal("dead")
				}
			}
		})
		b.Run(name+"/HolderOf", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := token.HolderOf(tok); !ok {
					b.Fatal("nobody")
				}
			}
		})
	}
}

var _ store.Keys = (*counted)(nil)
