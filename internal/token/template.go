package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/internal/store"
)

// The limits on what a template adds to a token.
const (
	maxClaims     = 16
	maxClaimName  = 64
	maxClaimBytes = 1024 // of all together: names, values and what stands between
	maxClaimDepth = 8
)

// reserved are the names that mean something to whoever reads a token, here or elsewhere.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "typ", "alg", "kid", "cty", "sid", "user", "epoch", "auth_time", "amr", "acr", "azp",
	"nonce", "cnf", "act", "may_act", "scope", "scp", "client_id", "roles", "events", "toe", "txn", "at_hash", "c_hash", "s_hash",
}

// Template says which claims tokens have beside those that all have. The zero value adds none.
type Template struct{ claims []claim }

// claim is a name and where its value comes from.
type claim struct {
	name   string
	head   int    // bytes that the claim takes beside its value
	text   string // a constant
	source string // id, email, created_at, roles, data, admin_data; empty for a constant
	member string // of data and admin_data
}

// free says how freely the user chooses what the claim says: not at all, as an address of theirs, or as they like.
func (c *claim) free() int {
	switch c.source {
	case "data":
		return 2
	case "email":
		return 1
	}
	return 0
}

// ParseTemplate reads items of the form NAME=VALUE. VALUE is a constant text, or $id, $email, $created_at, $roles, $data.MEMBER or
// $admin_data.MEMBER for what the store holds of the user. $$ stands for a $ at the beginning of a text.
func ParseTemplate(items []string) (Template, error) {
	var t Template
	if len(items) > maxClaims {
		return t, fmt.Errorf("has %d claims, at most %d are possible", len(items), maxClaims)
	}
	constants := 0
	for _, item := range items {
		c, err := parseClaim(item)
		if err != nil {
			return Template{}, fmt.Errorf("%q: %w", item, err)
		}
		if slices.ContainsFunc(t.claims, func(other claim) bool { return other.name == c.name }) {
			return Template{}, fmt.Errorf("%q: the claim stands there twice", item)
		}
		if c.source == "" {
			constants += c.head + len(encode(c.text))
		}
		t.claims = append(t.claims, c)
	}
	if constants > maxClaimBytes {
		return Template{}, fmt.Errorf("its constants take %d bytes, and all claims together may take %d", constants, maxClaimBytes)
	}
	return t, nil
}

func parseClaim(item string) (c claim, err error) {
	name, value, ok := strings.Cut(item, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	c = claim{name: name, text: value}
	switch {
	case !ok || name == "" || value == "":
		return c, errors.New("must be NAME=VALUE")
	case !utf8.ValidString(item) || strings.ContainsFunc(item, unicode.IsControl):
		return c, errors.New("must be plain text")
	case len(name) > maxClaimName:
		return c, fmt.Errorf("its name has more than %d bytes", maxClaimName)
	case slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) }):
		return c, fmt.Errorf("the claim %s has a meaning of its own", name)
	}
	c.head = len(encode(name)) + len(":,")
	reference, isReference := strings.CutPrefix(value, "$")
	if !isReference {
		return c, nil
	}
	if strings.HasPrefix(reference, "$") {
		c.text = reference
		return c, nil
	}
	source, member, dotted := strings.Cut(reference, ".")
	switch {
	case !dotted && slices.Contains([]string{"id", "email", "created_at", "roles"}, source),
		dotted && member != "" && slices.Contains([]string{"data", "admin_data"}, source):
		c.text, c.source, c.member = "", source, member
		return c, nil
	}
	return c, errors.New("$ must be followed by id, email, created_at, roles, data.NAME or admin_data.NAME; write $$ for a text that begins with $")
}

// Names returns the names of the claims.
func (t Template) Names() []string {
	names := make([]string, len(t.claims))
	for i, c := range t.claims {
		names[i] = c.name
	}
	return names
}

// fill adds to into what the template says of u, what the user writes last, so that it takes no room from what others say.
// It returns the names of the claims that do not fit. One whose value is missing is left out in silence.
func (t Template) fill(into map[string]any, u store.User) (operators, own []string) {
	room, docs := maxClaimBytes, documents{user: u}
	add := func(c claim) (fits bool) {
		value, ok := docs.value(c)
		if !ok {
			return true
		}
		if value == nil || c.head+len(value) > room {
			return false
		}
		room -= c.head + len(value)
		into[c.name] = value
		return true
	}
	for free := range 3 {
		for _, c := range t.claims {
			switch {
			case c.free() != free || add(c):
			case free == 2:
				own = append(own, c.name)
			default:
				operators = append(operators, c.name)
			}
		}
	}
	return operators, own
}

// documents are what a user's claims are taken from. The JSON among it is read when first asked for.
type documents struct {
	user   store.User
	parsed map[string]map[string]json.RawMessage
}

// value returns the claim's value as JSON: nil when no token could carry it, false when there is none.
func (d *documents) value(c claim) (json.RawMessage, bool) {
	switch c.source {
	case "":
		return encode(c.text), true
	case "id":
		return encode(d.user.ID), true
	case "email":
		return encode(d.user.Email), d.user.Email != ""
	case "created_at":
		return encode(d.user.CreatedAt.Unix()), !d.user.CreatedAt.IsZero()
	case "roles":
		return encode(d.user.Roles), len(d.user.Roles) > 0
	}
	raw, ok := d.object(c.source)[c.member]
	if !ok || string(raw) == "null" {
		return nil, false
	}
	return canonical(raw), true
}

func (d *documents) object(source string) map[string]json.RawMessage {
	if object, ok := d.parsed[source]; ok {
		return object
	}
	text := d.user.Data
	if source == "admin_data" {
		text = d.user.AdminData
	}
	var object map[string]json.RawMessage
	if len(text) > 0 && json.Unmarshal(text, &object) != nil {
		object = nil
	}
	if d.parsed == nil {
		d.parsed = map[string]map[string]json.RawMessage{}
	}
	d.parsed[source] = object
	return object
}

// canonical writes a value again in the one way in which every verifier reads it: without a member twice or half a
// surrogate. Nil says that it is too deep.
func canonical(raw json.RawMessage) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || depth(v) > maxClaimDepth {
		return nil
	}
	return encode(v)
}

func depth(v any) (deepest int) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			deepest = max(deepest, depth(inner))
		}
	case []any:
		for _, inner := range v {
			deepest = max(deepest, depth(inner))
		}
	default:
		return 0
	}
	return deepest + 1
}

// encode writes a value that came from JSON, or a text.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
