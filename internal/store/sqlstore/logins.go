package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const selectCandidate = "SELECT " + credentialColumns + ", " + userColumns + ` FROM credentials JOIN users ON users.id = credentials.user_id
	WHERE credentials.method = $1 AND credentials.key = $2`

// Candidate implements [store.Logins].
func (s verbs) Candidate(ctx context.Context, method, key string, now time.Time, counters ...string) (c store.Candidate, err error) {
	var credential credentialRow
	var user userRow
	err = s.one(ctx, selectCandidate, []any{method, key}, append(credential.into(), user.into()...)...)
	if err == nil {
		c.Credential = credential.result()
		c.User, err = user.result()
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Candidate{}, fmt.Errorf("candidate: %w", err)
	}
	c.Counters, err = s.Counters(ctx, now, counters...)
	return c, err
}
