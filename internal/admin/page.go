package admin

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/store"
)

// ErrCursor says that a text is no cursor, or one of another search.
var ErrCursor = errors.New("admin: not a cursor of this list")

// Page is a part of the list of users.
type Page struct {
	Users []store.User
	// Next is the cursor of the next page; empty when there is none.
	Next string
}

// Page returns at most limit users from behind the cursor after, which is empty for the first page: all of them in the order of
// their ids, or, if prefix is not empty, those whose address begins so, in the order of the addresses in canonical form.
func (s *Service) Page(ctx context.Context, prefix, after string, limit int) (p Page, err error) {
	prefix = login.PrefixKey(prefix)
	behind, err := openCursor(prefix, after)
	if err != nil {
		return p, err
	}
	if prefix == "" {
		p.Users, err = s.Users.ListUsers(ctx, behind, limit+1) // one more, to know whether there are more
	} else {
		p.Users, err = s.Users.SearchUsers(ctx, prefix, behind, limit+1)
	}
	if len(p.Users) > limit {
		p.Users = p.Users[:limit]
		p.Next = cursor(prefix, p.Users[limit-1])
	}
	return p, err
}

// The first byte of a cursor, before it is encoded, says what stands behind it.
const (
	behindID      = "i"
	behindAddress = "a"
)

// cursor returns what leads behind the user.
func cursor(prefix string, u store.User) string {
	text := behindID + u.ID
	if prefix != "" {
		text = behindAddress + u.EmailKey
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// openCursor returns the id or the address that a cursor of the list of that prefix leads behind; empty for an empty one.
func openCursor(prefix, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return "", ErrCursor
	}
	if prefix == "" {
		if id, ok := strings.CutPrefix(string(b), behindID); ok && id != "" {
			return id, nil
		}
		return "", ErrCursor
	}
	if key, ok := strings.CutPrefix(string(b), behindAddress); ok && strings.HasPrefix(key, prefix) {
		return key, nil
	}
	return "", ErrCursor
}
