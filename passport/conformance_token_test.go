package passport_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/password"
)

const (
	tableIssuer   = "https://issuer.example"
	tableAudience = "https://api.example"
)

type (
	// tableToken describes a token: what it has besides the usual header and claims, null for what it lacks.
	tableToken struct {
		Header object `json:"header,omitempty"`
		Claims object `json:"claims,omitempty"` // exp, nbf and iat may be distances from now, such as "+1h"
		Key    string `json:"key,omitempty"`    // secret
		Text   string `json:"text,omitempty"`   // this instead, "." for the usual token with a dot behind
	}

	tableSign struct {
		Payload  any            `json:"payload,omitempty"`
		Key      string         `json:"key,omitempty"`
		Material string         `json:"material,omitempty"`
		Options  object         `json:"options,omitempty"`
		Async    bool           `json:"async,omitempty"`
		Go       tableGoOptions `json:"go,omitzero"`
	}

	tableVerify struct {
		Spec     tableToken     `json:"spec,omitzero"`
		Token    string         `json:"token,omitempty"`
		Key      string         `json:"key,omitempty"`
		Material string         `json:"material,omitempty"`
		Options  object         `json:"options,omitempty"`
		Go       tableGoOptions `json:"go,omitzero"`
	}

	tableBcrypt struct {
		Hash     string `json:"hash,omitempty"`     // one that Node made, to be imported; otherwise
		Password string `json:"password,omitempty"` // is hashed first
		Guess    string `json:"guess"`
	}
)

// material returns a key as the npm packages take it, and the algorithm that it usually has.
func material(t testing.TB, name string) (string, jwt.Algorithm) {
	files := map[string]jwt.Algorithm{
		"rsa2048": jwt.RS256, "rsa2048_pub": jwt.RS256, "rsa1024": jwt.RS256, "p256": jwt.ES256, "p384": jwt.ES384, "ed25519": jwt.EdDSA,
	}
	switch name {
	case "", "secret":
		return "0123456789abcdef0123456789abcdef", jwt.HS256
	case "other":
		return "fedcba9876543210fedcba9876543210", jwt.HS256
	case "short":
		return "s", jwt.HS256
	case "long":
		return strings.Repeat("0123456789abcdef", 4), jwt.HS256
	case "none":
		return "", jwt.HS256
	}
	data, err := os.ReadFile("../jwt/testdata/" + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	return string(data), files[name]
}

func tableKey(name string, alg jwt.Algorithm, opt jwt.KeyOptions) (*jwt.Key, error) {
	text, usual := material(panicking{}, name)
	if alg == "" {
		alg = usual
	}
	if strings.HasPrefix(text, "-----") && !alg.Symmetric() {
		return jwt.ParsePEM(alg, []byte(text), opt)
	}
	return jwt.NewSecretKey(alg, []byte(text), opt)
}

// panicking is for where no test is at hand.
type panicking struct{ testing.TB }

func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// merge puts what is in more into o; null removes.
func merge(o, more object) {
	for k, v := range more {
		if o[k] = v; v == nil {
			delete(o, k)
		}
	}
}

// fillIn writes the row's tokens and keys into it, so that both sides get the same bytes.
func (row *tableRow) fillIn(t testing.TB) {
	tokens := map[string]tableToken{"token": {}, "bob": {Claims: object{"sub": "bob"}}}
	maps.Copy(tokens, row.Tokens)
	var pairs []string
	for name, spec := range tokens {
		pairs = append(pairs, "{"+name+"}", spec.compact(t))
	}
	fill := strings.NewReplacer(pairs...)
	requests := append(append([]tableRequest{}, row.Before...), row.Concurrent...)
	if row.Request != nil {
		requests = append(requests, *row.Request)
	}
	data, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	requests = nil
	if err := json.Unmarshal([]byte(fill.Replace(string(data))), &requests); err != nil {
		t.Fatal(err)
	}
	if row.Request != nil {
		row.Request = &requests[len(requests)-1]
	}
	n := len(row.Before)
	row.Before, row.Concurrent = requests[:n:n], requests[n:n+len(row.Concurrent)]
	for i := range row.Strategies {
		if s := &row.Strategies[i]; s.Type == "jwt" {
			s.Material, _ = material(t, s.Key)
		}
	}
	if row.Sign != nil {
		row.Sign.Material, _ = material(t, row.Sign.Key)
	}
	if row.Verify != nil {
		row.Verify.Material, _ = material(t, row.Verify.Key)
		row.Verify.Token = row.Verify.Spec.compact(t)
	}
}

// compact signs the token by hand: the table needs tokens that no library makes.
func (spec tableToken) compact(t testing.TB) string {
	if spec.Text != "" && spec.Text != "." {
		return spec.Text
	}
	text, alg := material(t, spec.Key)
	header := object{"alg": string(alg), "typ": "JWT"}
	merge(header, spec.Header)
	now := time.Now()
	claims := object{"iss": tableIssuer, "aud": tableAudience, "sub": "alice", "iat": "-1m", "exp": "+1h"}
	merge(claims, spec.Claims)
	for _, name := range []string{"exp", "nbf", "iat"} {
		if s, ok := claims[name].(string); ok && (s[0] == '+' || s[0] == '-') {
			d, err := time.ParseDuration(s)
			if err != nil {
				t.Fatal(err)
			}
			claims[name] = now.Add(d).Unix()
		}
	}
	input := segment(header) + "." + segment(claims)
	token := input + "." + base64.RawURLEncoding.EncodeToString(handSign(t, fmt.Sprint(header["alg"]), spec.Key, text, input))
	if spec.Text == "." {
		token += "."
	}
	return token
}

func segment(v any) string {
	data, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(data)
}

func handSign(t testing.TB, alg, name, text, input string) []byte {
	switch hashes := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}; alg {
	case "HS256", "HS384", "HS512":
		mac := hmac.New(hashes[alg], []byte(text))
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case "none":
		return nil
	}
	key, err := tableKey(name, "", jwt.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest, opts := []byte(input), crypto.SignerOpts(crypto.Hash(0))
	if alg == "RS256" {
		sum := sha256.Sum256(digest)
		digest, opts = sum[:], crypto.SHA256
	}
	signature, err := key.PrivateKey().Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// algorithm is the one that ours binds the key to: the first that the row allows, or the usual one of the key.
func algorithm(o object) jwt.Algorithm {
	if list, ok := o["algorithms"].([]any); ok {
		return jwt.Algorithm(list[0].(string))
	}
	return jwt.Algorithm(words(o["algorithm"], ""))
}

// expectation maps the options of jsonwebtoken's verify to ours. An option that ours lacks is not mapped.
func expectation(o object, g tableGoOptions) jwt.Expect {
	x := jwt.Expect{
		Issuer: first(o["issuer"]), Audience: first(o["audience"]), Subject: words(o["subject"], ""), ID: words(o["jwtid"], ""),
		MaxAge: duration(o["maxAge"]), Leeway: duration(o["clockTolerance"]),
		InsecureAllowNoExpiry: g.AllowNoExpiry,
	}
	x.InsecureAnyIssuer, x.InsecureAnyAudience = x.Issuer == "", x.Audience == ""
	switch at := o["clockTimestamp"].(type) {
	case string:
		shift := duration(strings.TrimPrefix(at, "+"))
		x.Now = func() time.Time { return time.Now().Add(shift) }
	case float64:
		x.Now = func() time.Time { return time.Unix(int64(at), 0) }
	}
	return x
}

// first is the one issuer or audience that ours takes; a pattern becomes what it was meant for.
func first(v any) string {
	if list, ok := v.([]any); ok {
		v = list[0]
	}
	s := words(v, "")
	if strings.HasPrefix(s, "/") {
		return tableAudience
	}
	return s
}

// duration is what somebody means who writes a timespan for jsonwebtoken: bare digits are seconds.
func duration(v any) time.Duration {
	switch v := v.(type) {
	case float64:
		return time.Duration(v * float64(time.Second))
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return time.Duration(n) * time.Second
		}
		if days, ok := strings.CutSuffix(v, "d"); ok {
			n, _ := strconv.Atoi(days)
			return time.Duration(n) * 24 * time.Hour
		}
		d, err := time.ParseDuration(strings.ReplaceAll(v, " hours", "h"))
		if err != nil {
			panic(err)
		}
		return d
	}
	return 0
}

func (s *tableSign) run() observation {
	token, err := s.sign()
	out := object{"signed": err == nil, "calls": 1, "payload_changed": false}
	if err != nil {
		return observation{Outcome: asJSON(out).(object), Says: err.Error()}
	}
	u, err := jwt.DecodeUnverified(token)
	if err != nil {
		panic(err)
	}
	claims := object{}
	_ = json.Unmarshal(u.Payload(), &claims)
	out["header"], out["claims"] = json.RawMessage(u.RawHeader()), relative(claims)
	return observation{Outcome: asJSON(out).(object)}
}

// sign maps jsonwebtoken's sign to ours. What cannot be written in Go at all is an error here.
func (s *tableSign) sign() (string, error) {
	o := s.Options
	payload, ok := s.Payload.(object)
	if s.Payload != nil && !ok {
		return "", errors.New("does not compile: claims are a struct")
	}
	if _, ok := o["foo"]; ok {
		return "", errors.New("does not compile: no such field")
	}
	typ, kid := "JWT", words(o["keyid"], "")
	if h, ok := o["header"].(object); ok {
		typ, kid = words(h["typ"], typ), words(h["kid"], kid)
	}
	alg := algorithm(o)
	key, err := tableKey(s.Key, alg, jwt.KeyOptions{ID: kid, InsecureAllowShortSecret: s.Go.AllowShort})
	if err != nil {
		return "", err
	}
	now := time.Now()
	c := jwt.Claims{
		Issuer: words(o["issuer"], ""), Subject: words(o["subject"], ""), ID: words(o["jwtid"], ""),
		Extra: object{}, InsecureNoExpiry: s.Go.AllowNoExpiry,
	}
	if aud := words(o["audience"], ""); aud != "" {
		c.Audience = []string{aud}
	}
	if o["noTimestamp"] != true && !s.Go.NoIssuedAt {
		c.IssuedAt = now
	}
	if v, ok := o["expiresIn"]; ok {
		c.ExpiresAt = now.Add(duration(v))
	}
	if v, ok := o["notBefore"]; ok {
		c.NotBefore = now.Add(duration(v))
	}
	for name, v := range payload {
		placeClaim(&c, name, v)
	}
	return jwt.Sign(key, typ, c)
}

// placeClaim puts a claim of the payload where it belongs. When an option has taken the place, it goes to Extra.
func placeClaim(c *jwt.Claims, name string, v any) {
	text, isText := v.(string)
	at, isTime := v.(float64)
	switch {
	case name == "iss" && isText && c.Issuer == "":
		c.Issuer = text
	case name == "sub" && isText && c.Subject == "":
		c.Subject = text
	case name == "jti" && isText && c.ID == "":
		c.ID = text
	case name == "aud" && isText && c.Audience == nil:
		c.Audience = []string{text}
	case name == "exp" && isTime && c.ExpiresAt.IsZero():
		c.ExpiresAt = time.Unix(int64(at), 0)
	default:
		c.Extra[name] = v
	}
}

// relative writes times as distances, as tokens.mjs does.
func relative(claims object) object {
	now := time.Now().Unix()
	base, hasIAT := now, false
	if iat, ok := claims["iat"].(float64); ok {
		base, hasIAT = int64(iat), true
	}
	for _, name := range []string{"exp", "nbf"} {
		if v, ok := claims[name].(float64); ok {
			claims[name] = int64(v) - base
			if !hasIAT { // the clock went on meanwhile
				claims[name] = (int64(v) - base + 30) / 60 * 60
			}
		}
	}
	if hasIAT {
		claims["iat"] = "now"
	}
	return claims
}

func (v *tableVerify) run(t *testing.T) observation {
	key, err := tableKey(v.Key, algorithm(v.Options), jwt.KeyOptions{InsecureAllowShortSecret: v.Go.AllowShort})
	if err != nil {
		return observation{Outcome: object{"accepted": false, "check": "key"}, Says: err.Error()}
	}
	verifier, err := jwt.NewVerifier(jwt.StaticKeys{key}, expectation(v.Options, v.Go))
	if err != nil {
		return observation{Outcome: object{"refused_at_start": true}, Says: err.Error()}
	}
	if _, err = verifier.Verify(t.Context(), v.Token); err != nil {
		var refused *jwt.Error
		errors.As(err, &refused)
		check := refused.Check
		if errors.Is(err, jwt.ErrAlgorithm) {
			check = jwt.CheckAlgorithm // also where it is found while looking for a key
		}
		return observation{Outcome: object{"accepted": false, "check": check}, Says: err.Error()}
	}
	return observation{Outcome: object{"accepted": true, "gives": []any{"header", "payload"}}}
}

func (b *tableBcrypt) run(t *testing.T) observation {
	h, err := password.New(password.Config{BcryptCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	encoded, check := b.Hash, h.VerifyImported
	if encoded == "" {
		check = h.Verify
		if encoded, err = h.Hash(t.Context(), b.Password); err != nil {
			t.Fatal(err)
		}
	}
	ok, err := check(t.Context(), encoded, b.Guess)
	if err != nil {
		t.Fatal(err)
	}
	return observation{Outcome: object{"matches": ok}}
}
