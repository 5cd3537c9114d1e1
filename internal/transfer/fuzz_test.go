package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/login"
)

// readAll returns what a system makes of a dump.
func readAll(s System, dump io.Reader) (records []Record, left []string, err error) {
	in := newInput(dump)
	o := Options{Domain: "example.org", Model: "auth.user", Collection: "users"}
	err = s.read(nil, Dump{Reader: dump}, in, o, func(rec Record) error { //nolint:staticcheck // no database is asked
		records = append(records, rec)
		return nil
	})
	return records, in.fields.left(), err
}

// inPieces reads a dump in pieces, as pipes give them.
type inPieces struct{ rest []byte }

func (r *inPieces) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(len(r.rest), 1+len(r.rest)%97)])
	r.rest = r.rest[n:]
	return n, nil
}

// FuzzDumps reads whatever comes as a dump of each system. The number chooses the system.
func FuzzDumps(f *testing.F) {
	systems := Systems()
	for n := range systems { // small ones: what is found interesting is made smaller first, which takes its time
		f.Add(byte(n), []byte("id,email,hash,data,created_at,roles\n1,a@example.com,x,\"{\"\"a\"\":1}\",2020-01-01,\"a b\"\n"))
		f.Add(byte(n), []byte(`{"users":[{"id":{"$oid":"0"},"created_at":{"$date":1e300}}], "x": 1} [[]`))
		f.Add(byte(n), []byte(`{"realm":"a","users":[{"id":"1","username":"a@example.com","credentials":[{"type":"password","secretData":"{\"value\":\"AA==\",\"salt\":\"AA==\"}","credentialData":"{\"hashIterations\":1,\"algorithm\":\"pbkdf2-sha256\"}"}]}]}`))
		f.Add(byte(n), []byte(`[{"model":"auth.user","pk":1,"fields":{"username":"a","email":"a@example.com","password":"!","is_staff":true,"date_joined":"2021-03-04T05:06:07.890Z"}}]`))
		f.Add(byte(n), []byte("a@example.com:$2y$05$5P.lq30WJRKbD8D74Jc3j.dsDQwtXAahJ6yRg9QDhWEs1JBO2bnfu\n# no\nb:{SHA}x"))
		f.Add(byte(n), []byte(`{"_id":{"$oid":"5dea9f9c82dd7c0e76e4ec94"},"identifiers":[{"type":"email","value":"j@example.com"}],"custom_password_hash":{"algorithm":"md5"}}`+"\n"))
	}
	f.Fuzz(func(t *testing.T, n byte, dump []byte) {
		s := systems[int(n)%len(systems)]
		records, left, err := readAll(s, bytes.NewReader(dump))
		i := &importer{Config: Config{Now: time.Now}}
		for _, rec := range records {
			if rec.Place == "" {
				t.Errorf("a record without a place: %+v", rec)
			}
			i.checkAccount(t, rec)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		// However it comes, it is the same.
		again, leftAgain, errAgain := readAll(s, &inPieces{dump})
		if !reflect.DeepEqual(records, again) || !reflect.DeepEqual(left, leftAgain) || (err == nil) != (errAgain == nil) ||
			err != nil && err.Error() != errAgain.Error() {
			t.Errorf("%d records, left %v, error %v; in pieces %d, %v, %v", len(records), left, err, len(again), leftAgain, errAgain)
		}
	})
}

// checkAccount sees to it that what becomes an account is one.
func (i *importer) checkAccount(t *testing.T, rec Record) {
	a, _, no := i.accountOf(rec)
	if no != nil {
		if no.reason == "" || len(no.detail) > 2*maxDetail {
			t.Errorf("refused for %q, %q", no.reason, no.detail)
		}
		return
	}
	u := a.User
	address, err := login.ParseAddress(u.Email)
	if err != nil || address.Key != u.EmailKey || !account.IsID(u.ID) || u.CreatedAt.Year() < 1970 || u.CreatedAt.Year() > 9999 {
		t.Errorf("%+v (%v)", u, err)
	}
	for _, object := range [][]byte{u.Data, u.AdminData} {
		if object != nil && (!json.Valid(object) || object[0] != '{') {
			t.Errorf("data %q", object)
		}
	}
	if len(a.Credentials) > 1 || (len(a.Credentials) == 1) != (rec.Hash != "") {
		t.Errorf("%d credentials", len(a.Credentials))
	}
}

func TestDumpsThatAreNone(t *testing.T) {
	t.Parallel()
	const good = `{"_id":"1","email":"a@example.com","password":"x"}` + "\n"
	large := `{"email":"` + strings.Repeat("a", maxRecord+2*readAhead) + `"}`
	for _, tt := range []struct{ name, system, dump, want string }{
		{"half a record", "mongoexport", good + `{"_id":"2","email":"cAnArY`, "line 2: it ends in the middle of a record"},
		{"half an array", "mongoexport", "[\n" + good, "line 3: it ends in the middle of a record"},
		{"no JSON", "mongoexport", good + "\n\ncAnArY\n", "line 4: this is not JSON"},
		{"no JSON in a record", "mongoexport", good + `{"email": cAnArY}`, "line 2: this is not JSON"},
		{"bad UTF-8", "mongoexport", good + "{\"email\":\"cAnArY\xff\"}", "line 2: this is not JSON"},
		{"a name twice", "mongoexport", good + `{"cAnArY":1,"cAnArY":1}`, "line 2: an object has the same name twice"},
		{"a number", "mongoexport", good + `7`, "line 2: a user's record is a JSON object"},
		{"a list in a list", "mongoexport", "[[" + good + "]]", "line 1: a user's record is a JSON object"},
		{"too large", "mongoexport", good + large, "line 2: a record has over 1 MiB"},
		{"too deep", "mongoexport", good + strings.Repeat(`{"a":`, 20_000), "line 2: this is not JSON"},
		{"a table too large", "csv", "email\n\"" + large, "line 2: a record has over 1 MiB"},
		{"cells", "csv", "email,hash\na@example.com,x\ncAnArY\n", "line 3: it has more or fewer cells than the header"},
		{"columns", "csv", "email,hash,email\n", `line 1: two columns have the name "email"`},
		{"quotes", "csv", "email,hash\na@example.com,x\na@example.com,\"cAnArY\"x\n", "line 3: this is not CSV"},
		{"an open quote", "csv", "email,hash\na@example.com,x\na@example.com,\"cAnArY", "line 3: this is not CSV"},
		{"no colon", "htpasswd", "a@example.com:x\n# no\ncAnArY\n", "line 3: this is not NAME:HASH"},
		{"a long line", "htpasswd", strings.Repeat("cAnArY", 20_000), "this is no password file"},
		{"other models", "django", `[{"model":"accounts.user","pk":1,"fields":{}}]`, "none of the model auth.user: say with --model"},
		{"no users", "keycloak", `{"realm":"a","users":[7]}`, "line 1: a user's record is a JSON object"},
		{"a database from stdin", "pocketbase", sqliteMagic + "xxx", "cannot be read from stdin"},
	} {
		for _, s := range Systems() {
			if s.Name != tt.system {
				continue
			}
			_, _, err := readAll(s, strings.NewReader(tt.dump))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "cAnArY") {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
		}
	}
}

// endless is a dump without an end, which counts how far it was read.
type endless struct {
	line []byte
	read int64
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], e.line[e.read%int64(len(e.line)):])
		n, e.read = n+c, e.read+int64(c)
	}
	return n, nil
}

// TestNothingIsReadFarAhead ends each system at its thousandth record: until then no more may have been read than a little.
func TestNothingIsReadFarAhead(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for system, line := range map[string]string{
		"mongoexport": `{"_id":"1","email":"a@example.com"}` + "\n", "jsonl": "{}\n", "auth0": "{} ", "csv": "a\n", "htpasswd": "a:b\n",
		"keycloak": `{"username":"a","users":[{}]}` + "\n", "supabase": `{"id":"1"}` + "\n", "pocketbase": `{"items":[{"id":"1"}]}`,
		"django": `{"model":"auth.user","fields":{}}`,
	} {
		for _, s := range Systems() {
			if s.Name != system {
				continue
			}
			dump := &endless{line: []byte(line)}
			in, n := newInput(dump), 0
			err := s.read(t.Context(), Dump{Reader: dump}, in, Options{Model: "auth.user"}, func(Record) error {
				if n++; n == 1000 {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) || dump.read > int64(1000*len(line)+2*readAhead) || len(in.ends.words) > 2*readAhead/64 {
				t.Errorf("%s: %v after %d bytes, with %d words of line ends", system, err, dump.read, len(in.ends.words))
			}
		}
	}
}
