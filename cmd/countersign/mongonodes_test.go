package main

import (
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

// onMongoDB returns the settings of nodes on a MongoDB database of the test's own.
func onMongoDB(t *testing.T) []string {
	t.Helper()
	return []string{
		"COUNTERSIGN_DATABASE=" + mongotest.Start(t).URL(t.Name()), "COUNTERSIGN_MASTER_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	}
}

func TestOneSuccessorFromTwoProcessesOnMongoDB(t *testing.T) {
	t.Parallel()
	rounds := 50 // of fifty refreshes, each some commands, which FerretDB takes one after the other
	if raceEnabled || testing.Short() {
		rounds = 10
	}
	oneSuccessor(t, nodes(t, 2, onMongoDB(t)...).nodes, rounds)
}

func TestLogoutIsSeenByTheOtherNodeOnMongoDB(t *testing.T) {
	t.Parallel()
	logoutIsSeen(t, nodes(t, 2, onMongoDB(t)...).nodes)
}
