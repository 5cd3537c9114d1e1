package transfer

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json"
)

// readAuth0 reads the export of password hashes that Auth0's support makes, in which a user's id is auth0| and alt_id or _id,
// and exports or import files of users that have hashes.
func readAuth0(_ context.Context, _ Dump, in *input, _ Options, yield func(Record) error) error {
	return eachObject(in, "", func(r row) error { return yield(auth0Record(&r)) })
}

func auth0Record(r *row) Record {
	rec := Record{
		ID: r.text("user_id"), Email: r.text("email"), Hash: r.hash("passwordHash", "password_hash"),
		Disabled: r.yes("blocked"), Verified: r.maybe("email_verified"),
		CreatedAt: r.time("created_at"), UpdatedAt: r.time("updated_at"),
		Data: r.object("user_metadata"),
	}
	internal, alternative := r.text("_id"), r.text("alt_id")
	if rec.ID == "" {
		if rec.ID = alternative; rec.ID == "" {
			rec.ID = internal
		}
	}
	if rec.ID != "" && !strings.Contains(rec.ID, "|") {
		rec.ID = "auth0|" + rec.ID
	}
	if rec.CreatedAt.IsZero() {
		rec.CreatedAt = objectIDTime(internal)
	}
	auth0Address(r, &rec)
	rec.AdminData = object(r.object("app_metadata")).with("username", quoted(r.text("username")))
	return r.record(auth0Custom(r, rec))
}

// auth0Address looks for the address among the identifiers, where newer exports have it too.
func auth0Address(r *row, rec *Record) {
	v := r.value("identifiers")
	if v == nil || rec.Email != "" {
		return
	}
	var identifiers []struct {
		Type     string `json:"type"`
		Value    string `json:"value"`
		Verified *bool  `json:"verified"`
	}
	if err := json.Unmarshal(v, &identifiers); err != nil {
		r.wrong("identifiers", "list of identifiers")
		return
	}
	for _, id := range identifiers {
		if id.Type == "email" {
			rec.Email, rec.Verified = id.Value, id.Verified
			return
		}
	}
}

// auth0Custom takes the hash of a user who came to Auth0 with one of another system. A salt or a key of its own has no
// place in the forms that are known here.
func auth0Custom(r *row, rec Record) Record {
	v := r.value("custom_password_hash")
	if v == nil || rec.Hash != "" {
		return rec
	}
	r.in.hashes = true
	var custom struct {
		Algorithm string `json:"algorithm"`
		Hash      struct {
			Value    string `json:"value"`
			Encoding string `json:"encoding"`
			Key      any    `json:"key"`
		} `json:"hash"`
		Password struct {
			Encoding string `json:"encoding"`
		} `json:"password"`
		Salt any `json:"salt"`
	}
	if err := json.Unmarshal(v, &custom); err != nil {
		r.wrong("custom_password_hash", "hash with its algorithm")
		return rec
	}
	switch custom.Algorithm {
	case "bcrypt", "argon2", "pbkdf2":
		utf8 := (custom.Hash.Encoding == "" || custom.Hash.Encoding == "utf8") && (custom.Password.Encoding == "" || custom.Password.Encoding == "utf8")
		if utf8 && custom.Salt == nil && custom.Hash.Key == nil {
			rec.Hash = custom.Hash.Value
			return rec
		}
	}
	return rec.skipped(HashUnverified, "custom_password_hash: "+printable(custom.Algorithm))
}
