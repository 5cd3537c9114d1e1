package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/countersign-auth/countersign/internal/store"
)

// The functions here give the verdict of a change: see there.

type verdict = func(ctx context.Context, sentinel error) error

// gone is the verdict on what was to be deleted: it is.
func gone(_ context.Context, sentinel error) error {
	if errors.Is(sentinel, store.ErrNotFound) {
		return nil
	}
	return sentinel
}

// judge says what a sentinel means when the record is there as it was to be written, or of a version that may have come
// after that.
func judge(sentinel error, there, later bool) error {
	switch {
	case there:
		return nil
	case later:
		return fmt.Errorf("%w: an answer was lost, and the record has been written again since", store.ErrUnavailable)
	default:
		return sentinel
	}
}

// unread is the verdict when the record could not be read: if it is not there, the sentinel.
func unread(sentinel, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return sentinel
	}
	return err
}

// userCreated is the verdict on a new user: nobody else makes one of this id.
func (s verbs) userCreated(id string) verdict {
	return func(ctx context.Context, sentinel error) error {
		if _, err := s.User(ctx, id); err != nil {
			return unread(sentinel, err)
		}
		return nil
	}
}

// userUpdated is the verdict on a user who was to become u.
func (s verbs) userUpdated(u store.User) verdict {
	return func(ctx context.Context, sentinel error) error {
		now, err := s.User(ctx, u.ID)
		if err != nil {
			return unread(sentinel, err)
		}
		was, _ := userUpdate(u)
		is, _ := userUpdate(now)
		return judge(sentinel, reflect.DeepEqual(is, was), now.Version > u.Version)
	}
}

// credentialWritten is the verdict on a credential of which these values were to be written, and this version.
func (s verbs) credentialWritten(c store.Credential, values func(store.Credential) []any) verdict {
	return func(ctx context.Context, sentinel error) error {
		now, err := s.Credential(ctx, c.Method, c.Key)
		if err != nil {
			return unread(sentinel, err)
		}
		return judge(sentinel, reflect.DeepEqual(values(now), values(c)), now.UserID == c.UserID && now.Version > c.Version)
	}
}

func (s verbs) credentialUpdated(c store.Credential) verdict {
	c.Version++
	return s.credentialWritten(c, credentialUpdate)
}

func (s verbs) rotationWritten(x store.Session) verdict {
	return func(ctx context.Context, sentinel error) error {
		now, _, err := s.Session(ctx, x.ID)
		if err != nil {
			return unread(sentinel, err)
		}
		return judge(sentinel, reflect.DeepEqual(rotationArgs(now), rotationArgs(x)), now.Generation > x.Generation)
	}
}

// sessionOpened is the verdict on a new session.
func (s verbs) sessionOpened(x store.Session) verdict {
	return func(ctx context.Context, sentinel error) error {
		now, _, err := s.Session(ctx, x.ID)
		if err != nil {
			return unread(sentinel, err)
		}
		return judge(sentinel, now.UserID == x.UserID && store.Micros(now.AuthAt) == store.Micros(x.AuthAt), false)
	}
}

const countEvents = "SELECT count(*) FROM events WHERE id = ANY($1::text[])"

// eventsWritten is the verdict on events: nobody else writes some with these ids.
func (s verbs) eventsWritten(events []store.Event) verdict {
	return func(ctx context.Context, sentinel error) error {
		var ids []string
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		var n int
		if err := s.one(ctx, countEvents, []any{ids}, &n); err != nil {
			return err
		}
		return judge(sentinel, n == len(ids), false)
	}
}

// keyWritten is the verdict on a key that was to have one private part instead of another; nil for a new key.
func (s verbs) keyWritten(id string, old, sealed []byte) verdict {
	return func(ctx context.Context, sentinel error) error {
		keys, err := s.SigningKeys(ctx)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.ID == id {
				return judgeValue(sentinel, k.Private, old, sealed)
			}
		}
		return sentinel
	}
}

// secretWritten is the verdict on a secret that was to have one value instead of another.
func (s verbs) secretWritten(name string, old, value []byte) verdict {
	return func(ctx context.Context, sentinel error) error {
		now, err := s.Secret(ctx, name)
		if err != nil {
			return unread(sentinel, err)
		}
		return judgeValue(sentinel, now, old, value)
	}
}

// judgeValue is judge for what has no version, but another value each time.
func judgeValue(sentinel error, now, old, value []byte) error {
	return judge(sentinel, bytes.Equal(now, value), old != nil && !bytes.Equal(now, old))
}
