package app_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/need"
)

const postmanCollection = "../../postman/countersign.postman_collection.json"

func TestPostmanCollection(t *testing.T) {
	t.Parallel()
	newman := filepath.Join(need.Node(t), "node_modules", ".bin", "newman")
	s := testkit.Start(t)
	report := filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, runErr := exec.CommandContext(ctx, newman, "run", postmanCollection,
		"--env-var", "baseUrl="+s.URL, "--env-var", "password="+testkit.Password,
		"--timeout-request", "20000", "--reporters", "json", "--reporter-json-export", report).CombinedOutput()
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("newman left no report: %v, %v\n%s", err, runErr, out)
	}
	var result struct {
		Run struct {
			Stats struct {
				Assertions struct{ Total, Pending, Failed int }
			}
			Failures []struct {
				Error  struct{ Test, Message string }
				Source struct{ Name string }
			}
		}
	}
	if err := json.Unmarshal(b, &result); err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Run.Failures {
		t.Errorf("%s: %s: %s", f.Source.Name, f.Error.Test, f.Error.Message)
	}
	if runErr != nil {
		t.Errorf("newman: %v\n%s", runErr, out)
	}
	collection, err := os.ReadFile(postmanCollection)
	if err != nil {
		t.Fatal(err)
	}
	want, got := strings.Count(string(collection), "pm.test("), result.Run.Stats.Assertions
	if want == 0 || got.Total != want || got.Pending != 0 || got.Failed != 0 {
		t.Errorf("of %d assertions ran %d: %d failed, %d skipped", want, got.Total, got.Failed, got.Pending)
	}
	if users, err := s.App.Store.ListUsers(t.Context(), "", 10); err != nil || len(users) != 1 {
		t.Errorf("%d users (%v): the collection ran against another server", len(users), err)
	}
}
