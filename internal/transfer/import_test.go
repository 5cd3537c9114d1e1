package transfer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
