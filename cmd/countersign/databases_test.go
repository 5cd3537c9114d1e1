package main

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// database is one that nodes can share.
type database struct {
	// settings name it, but for SQLite, which is beside the data folder anyway.
	settings []string
	// slow says that it takes one command at a time.
	slow bool
}

// onEachDatabase runs a test on each kind of database, a fresh one each.
func onEachDatabase(t *testing.T, test func(*testing.T, database)) {
	t.Helper()
	for name, fresh := range map[string]func(*testing.T) database{"SQLite": onSQLite, "PostgreSQL": onPostgreSQL, "MongoDB": onMongoDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

func onSQLite(*testing.T) database { return database{} }

func onPostgreSQL(t *testing.T) database { return database{settings: settingsOf(pgtest.Database(t))} }

func onMongoDB(t *testing.T) database {
	return database{settings: settingsOf(mongotest.Start(t).URL(t.Name())), slow: true}
}

// settingsOf returns those of nodes on the database that a URL names.
func settingsOf(url string) []string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // which never fails
	return []string{"COUNTERSIGN_DATABASE=" + url, "COUNTERSIGN_MASTER_KEY=" + hex.EncodeToString(key[:])}
}
