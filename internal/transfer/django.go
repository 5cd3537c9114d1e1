package transfer

import (
	"context"
	"fmt"
	"strings"
)

// readDjango reads what `manage.py dumpdata auth.user` writes, with --format json or jsonl. Records of other models are passed
// over.
//
// Django's users log in by a name, and here by an address: that is the field email or, if it is empty, a name that is an
// address or becomes one with the domain that is given. Is_staff and is_superuser become the roles staff and superuser: what
// they let a user do was up to Django, and is up to the applications here.
func readDjango(_ context.Context, _ Dump, in *input, o Options, yield func(Record) error) error {
	users, others := 0, 0
	err := eachObject(in, "", func(r row) error {
		if r.text("model") != o.Model {
			others++
			return nil
		}
		users++
		return yield(djangoRecord(&r, o.Domain))
	})
	if err == nil && users == 0 && others > 0 {
		return fmt.Errorf("it has %d records, and none of the model %s: say with --model which has the users", others, o.Model)
	}
	return err
}

func djangoRecord(r *row, domain string) Record {
	rec := Record{ID: r.text("pk")}
	f := row{in: r.in}
	if object := r.object("fields"); object != nil {
		f = newRow(r.in, r.place, object)
	}
	name := f.text("username")
	rec.Email = f.text("email")
	if rec.Email == "" {
		rec.Email = addressOf(name, domain)
	}
	rec.Hash = f.hash("password")
	if strings.HasPrefix(rec.Hash, "!") { // set_unusable_password
		rec.Hash = ""
	}
	if active := f.maybe("is_active"); active != nil {
		rec.Disabled = !*active
	}
	rec.CreatedAt = f.time("date_joined")
	for _, role := range []string{"staff", "superuser"} {
		if f.yes("is_" + role) {
			rec.Roles = append(rec.Roles, role)
		}
	}
	rec.Data = object(nil).with("first_name", quoted(f.text("first_name"))).with("last_name", quoted(f.text("last_name")))
	rec.AdminData = object(nil).with("username", quoted(name)).with("groups", f.value("groups"))
	if r.err == nil {
		r.err = f.err
	}
	return r.record(rec)
}

// addressOf returns a user name that is an address, or becomes one with a domain; else nothing.
func addressOf(name, domain string) string {
	if strings.Contains(name, "@") || name == "" {
		return name
	}
	if domain == "" {
		return ""
	}
	return name + "@" + domain
}
