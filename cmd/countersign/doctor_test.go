package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

// TestLookingMakesNothing has commands look at a MongoDB database that is empty, and stays so.
func TestLookingMakesNothing(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL(t.Name())
	env := append(settingsOf(url), "COUNTERSIGN_DATA="+t.TempDir())
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"doctor"}, exitOK, "the database is empty: the first start of the server makes its tables"},
		{[]string{"migrate", "--status"}, exitOK, "the schema has version 0; this binary has 1"},
		{[]string{"user", "list"}, exitFailure, "is empty"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), world{args: tt.args, env: env, stdin: strings.NewReader(""), stdout: &out, stderr: &out})
		if code != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%v: %d, want %d and %q\n%s", tt.args, code, tt.code, tt.want, &out)
		}
	}
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	_, name, _ := strings.Cut(strings.TrimPrefix(url, "mongodb://"), "/")
	name, _, _ = strings.Cut(name, "?")
	if made, err := client.Database(name).ListCollectionNames(t.Context(), bson.D{}); err != nil || len(made) != 0 {
		t.Errorf("they made %v (%v)", made, err)
	}
}
