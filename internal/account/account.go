// Package account shows people what the server holds of them.
package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

// Holder returns whom a verified token speaks for; false when nobody any more. It fits passport/bearer's Load.
//
// A token of this server lives for minutes and is believed without the database. One of the founding app may live for
// ever, so its user is looked up each time and must not be disabled.
func Holder(users store.Users) func(context.Context, *jwt.Token) (*token.Holder, bool, error) {
	return func(ctx context.Context, t *jwt.Token) (*token.Holder, bool, error) {
		holder, ok := token.HolderOf(t)
		if !ok || !holder.Legacy {
			return &holder, ok, nil
		}
		user, err := users.User(ctx, holder.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("user of a token: %w", err)
		}
		holder.Email = user.Email
		return &holder, !user.Disabled(), nil
	}
}
