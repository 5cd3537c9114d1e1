package transfer_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/transfer"
)

// hash is a hash of correct-horse.
const hash = "$2b$10$TnLefm6.RdWLDcdD8cT9juu2eWGJkbIcS.7HrQRfOsxpVQcuqCqsa"

// empty returns a store without users.
func empty(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestTheSameUserTwice has dumps in which two records are one user: the second is skipped, and never taken for one that an
// earlier run has written. A second run and a trial run say the same.
func TestTheSameUserTwice(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("{}\n", 600) // more than a batch between
	for _, tt := range []struct {
		name, system, dump string
		want               string
	}{
		{"names", "htpasswd", "Mike:" + hash + "\nmike:" + hash + "\n", "line 2: address_taken by an earlier record"},
		{"addresses", "csv", "email,hash\nMike@example.com," + hash + "\nmike@example.com,\n", "line 3: address_taken by an earlier record"},
		{"ids", "jsonl", `{"id":1,"email":"a@example.com","hash":null}` + "\n" + `{"id":"1","email":"a@example.com"}`, "line 2: id_taken by an earlier record"},
		{"far apart", "jsonl", `{"email":"a@example.com","hash":null}` + "\n" + filler + `{"email":"A@example.com"}`, "line 602: address_taken by an earlier record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, scratch := empty(t), empty(t)
			for run := range 3 {
				_, skipped, err := runDump(t, t.Context(), s, tt.system, transfer.Dump{Reader: strings.NewReader(tt.dump)}, func(cfg *transfer.Config) {
					cfg.Domain = "example.com"
					if run == 2 {
						cfg.Store, cfg.Taken = scratch, s
					}
				})
				got := codes(skipped)
				if diff := cmp.Diff([]string{tt.want}, got[max(0, len(got)-1):]); err != nil || diff != "" {
					t.Errorf("run %d: %s (%v)", run, diff, err)
				}
			}
		})
	}
}

// TestDumpsWithoutHashes has dumps in which nobody has a hash: each is refused, unless that is meant.
func TestDumpsWithoutHashes(t *testing.T) {
	t.Parallel()
	for system, dump := range map[string]string{
		"csv":         "email,pw\na@example.com," + hash + "\n",
		"jsonl":       `{"email":"a@example.com","pw":"` + hash + `"}`,
		"mongoexport": `{"_id":"1","email":"a@example.com"}`,
		"supabase":    "id,email\n1,a@example.com\n",
		"auth0":       `{"user_id":"auth0|1","email":"a@example.com"}`,
		"keycloak":    `{"users":[{"id":"1","email":"a@example.com"}]}`,
		"django":      `{"model":"auth.user","pk":1,"fields":{"email":"a@example.com"}}`,
	} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			s := empty(t)
			from := func() transfer.Dump { return transfer.Dump{Reader: strings.NewReader(dump)} }
			summary, _, err := runDump(t, t.Context(), s, system, from(), nil)
			if err == nil || !strings.Contains(err.Error(), "--without-passwords") || len(accounts(t, s)) != 0 {
				t.Errorf("%+v (%v)", summary, err)
			}
			summary, _, err = runDump(t, t.Context(), s, system, from(), func(cfg *transfer.Config) { cfg.WithoutPasswords = true })
			if err != nil || summary.Imported != 1 || summary.WithoutPassword != 1 {
				t.Errorf("without passwords: %+v (%v)", summary, err)
			}
		})
	}
}

// TestAColumnThatIsNotThere has a mapping that is wrong.
func TestAColumnThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := empty(t)
	const dump = "email,hash\na@example.com," + hash + "\n"
	_, _, err := runDump(t, t.Context(), s, "csv", transfer.Dump{Reader: strings.NewReader(dump)}, func(cfg *transfer.Config) {
		cfg.Map, cfg.WithoutPasswords = map[string]string{"hash": "pww"}, true
	})
	const want = `line 1: no column has the name "pww", which is to be hash`
	if err == nil || err.Error() != want || len(accounts(t, s)) != 0 {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestPasswordsThatComeLater imports users without hashes, and then those who have them.
func TestPasswordsThatComeLater(t *testing.T) {
	t.Parallel()
	s, scratch := empty(t), empty(t)
	const first, second = `{"id":"1","email":"a@example.com","hash":null} {"id":"2","email":"b@example.com","hash":"` + hash + `"}`,
		`{"id":"1","email":"A@example.com","hash":"` + hash + `"} {"id":"2","email":"b@example.com","hash":"$2b$10$JQrjRpJkHJEGl.4HYaqMX.98AeK7OR4mDjBZ4Z9m9OmjvtgpgTxva"}`
	for run, tt := range []struct {
		dump         string
		trial        bool
		there, added int
	}{{first, false, 0, 0}, {second, true, 2, 1}, {second, false, 2, 1}, {second, false, 2, 0}} {
		summary, skipped, err := runDump(t, t.Context(), s, "jsonl", transfer.Dump{Reader: strings.NewReader(tt.dump)}, func(cfg *transfer.Config) {
			if tt.trial {
				cfg.Store, cfg.Taken = scratch, s
			}
		})
		if err != nil || len(skipped) > 0 || summary.There != tt.there || summary.PasswordsAdded != tt.added {
			t.Errorf("run %d: %+v, skipped %v (%v)", run, summary, skipped, err)
		}
	}
	for _, a := range accounts(t, s) {
		if len(a.Credentials) != 1 || !strings.Contains(string(a.Credentials[0].Data), hash) {
			t.Errorf("%+v", a)
		}
	}
}

// full is a store whose disk is full.
type full struct {
	*sqlstore.Store
	tried int
}

func (f *full) AddAccounts(context.Context, ...store.Account) ([]error, error) {
	f.tried++
	return nil, errors.New("the disk is full")
}

// TestAFaultIsMetOnce has faults that are not those of the dump: nothing is tried, told or counted again.
func TestAFaultIsMetOnce(t *testing.T) {
	t.Parallel()
	s := &full{Store: empty(t)}
	good := strings.Repeat(`{"email":"a@example.com","hash":null}`+"\n", 500)
	_, _, err := runDump(t, t.Context(), s, "jsonl", transfer.Dump{Reader: strings.NewReader(good)}, nil)
	if s.tried != 1 || err == nil || strings.Count(err.Error(), "full") != 1 {
		t.Errorf("tried %d times: %v", s.tried, err)
	}
	summary, _, err := runDump(t, t.Context(), empty(t), "jsonl", transfer.Dump{Reader: strings.NewReader(good)}, func(cfg *transfer.Config) {
		cfg.Skipped = func(transfer.Skipped) error { return errors.New("the report is full") }
	})
	if err == nil || strings.Count(err.Error(), "full") != 1 || summary.SkippedTotal() != 1 || summary.Imported != 1 {
		t.Errorf("%+v (%v)", summary, err)
	}
}

// TestAuth0Encodings has hashes of passwords that were encoded as nobody does here.
func TestAuth0Encodings(t *testing.T) {
	t.Parallel()
	for encoding, want := range map[string]int{"utf8": 0, "utf16le": 1} {
		dump := `{"email":"a@example.com","custom_password_hash":{"algorithm":"bcrypt","hash":{"value":"` + hash + `"},"password":{"encoding":"` + encoding + `"}}}`
		_, skipped, err := runDump(t, t.Context(), empty(t), "auth0", transfer.Dump{Reader: strings.NewReader(dump)}, nil)
		if err != nil || len(skipped) != want || want == 1 && skipped[0].Reason != transfer.HashUnverified {
			t.Errorf("%s: skipped %v (%v)", encoding, skipped, err)
		}
	}
}
