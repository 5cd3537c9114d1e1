package apikey

import (
	"errors"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/problem"
)

// KeyView is a key as its owner sees it.
type KeyView struct {
	ID         string     `json:"id" doc:"The part of the key's text that is no secret"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes" nullable:"false" doc:"What the key may do"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty" doc:"Not there for a key that does not expire"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"To the minute; not there for a key that was never used"`
}

// KeyViewOf returns the view of a key.
func KeyViewOf(k Key) KeyView {
	instant := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC().Truncate(time.Second)
		return &t
	}
	return KeyView{k.ID, k.Name, append([]string{}, k.Scopes...), k.CreatedAt.UTC().Truncate(time.Second), instant(k.ExpiresAt), instant(k.LastUsedAt)}
}

// NewKey is the body of POST /user/keys.
type NewKey struct {
	Name      string   `json:"name" doc:"To know the key by: 1 to 100 characters" example:"backup at night"`
	Scopes    []string `json:"scopes,omitempty" nullable:"false" doc:"What the key may do: at most 32 of those that the setting api_keys.scopes has"`
	ExpiresIn *int64   `json:"expires_in,omitempty" doc:"For how many seconds it is good, up to ten years; for ever if it is not there" example:"2592000"`
}

// CreatedKey is the answer to POST /user/keys.
type CreatedKey struct {
	APIKey string  `json:"api_key" doc:"The key. Nobody can read it again"`
	Key    KeyView `json:"key"`
}

// KeyList is the answer to GET /user/keys.
type KeyList struct {
	Keys []KeyView `json:"keys" nullable:"false" doc:"The one made first first, expired ones too"`
}

type handler struct {
	service *Service
	guard   *session.Guard
}

// Routes adds /user/keys. They take access tokens and no keys: a key makes no other.
func (s *Service) Routes(rt *api.Router, guard *session.Guard) {
	h := &handler{s, guard}
	rt.Handle(&api.Operation{
		Method: http.MethodPost, Path: "/user/keys", ID: "createKey", Tag: "API keys",
		Summary: "Make an API key, for a program to act as the user",
		Description: "Asks for a login of a short while ago: 403 with the code reauthenticate when it was longer. " +
			"The key is in this answer and in no other.",
		Bearer: true, Body: NewKey{}, OK: CreatedKey{}, Problems: []int{400, 401, 404, 408, 409, 415, 422},
	}, guard.ProtectFresh(h.create))
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/user/keys", ID: "keys", Tag: "API keys",
		Summary: "List the user's API keys", Bearer: true, OK: KeyList{}, Problems: []int{400, 401, 404},
	}, guard.Protect(h.list))
	rt.Handle(&api.Operation{
		Method: http.MethodDelete, Path: "/user/keys/{id}", ID: "revokeKey", Tag: "API keys",
		Summary: "Revoke one of the user's API keys, at once", Bearer: true,
		Status: http.StatusNoContent, Problems: []int{400, 401, 404},
	}, guard.Protect(h.revoke))
}

func (h *handler) create(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	var body NewKey
	if err := (api.Body{}).Read(r, &body); err != nil {
		return err
	}
	if body.Name == "" {
		return problem.New(http.StatusBadRequest, "missing_fields", "A field is missing or empty.").
			WithFields(problem.Field{Name: "name", Code: "missing", Detail: "This field is required."})
	}
	lifetime, err := lifetimeOf(body.ExpiresIn)
	if err != nil {
		return err
	}
	user, err := h.guard.User(r.Context(), holder)
	if err != nil {
		return err
	}
	ctx, cancel := session.Lasting(r)
	defer cancel()
	key, secret, err := h.service.Create(ctx, user.ID, Wish{Name: body.Name, Scopes: body.Scopes, Lifetime: lifetime}, h.by(w, r))
	if errors.Is(err, ErrNotFound) {
		return h.guard.Ended()
	}
	if err != nil {
		return explain(err)
	}
	api.JSON(w, CreatedKey{APIKey: secret.Reveal(), Key: KeyViewOf(key)})
	return nil
}

// lifetimeOf returns a lifetime that the service can judge: so many seconds that a duration has no room for them are too many, and
// 0 is not the same as nothing.
func lifetimeOf(seconds *int64) (time.Duration, error) {
	switch most := int64(maxLifetime / time.Second); {
	case seconds == nil:
		return 0, nil
	case *seconds < 1, *seconds > most:
		return 0, explain(&InvalidError{Fields: []problem.Field{outOfRange}})
	}
	return time.Duration(*seconds) * time.Second, nil
}

func (h *handler) list(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	user, err := h.guard.User(r.Context(), holder)
	if err != nil {
		return err
	}
	keys, err := h.service.List(r.Context(), user.ID)
	if err != nil {
		return err
	}
	listed := KeyList{Keys: []KeyView{}}
	for _, k := range keys {
		listed.Keys = append(listed.Keys, KeyViewOf(k))
	}
	api.JSON(w, listed)
	return nil
}

func (h *handler) revoke(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	user, err := h.guard.User(r.Context(), holder)
	if err != nil {
		return err
	}
	ctx, cancel := session.Lasting(r)
	defer cancel()
	if err := h.service.Revoke(ctx, user.ID, r.PathValue("id"), h.by(w, r)); err != nil {
		return explain(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) by(w http.ResponseWriter, r *http.Request) audit.By {
	client := session.ClientOf(w, r, h.service.Proxies)
	return audit.By{Client: client.Addr, RequestID: client.RequestID}
}

// explain says what a client may know of err.
func explain(err error) error {
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid):
		return problem.New(http.StatusUnprocessableEntity, "invalid_fields", "Some fields are not valid.").WithFields(invalid.Fields...)
	case errors.Is(err, ErrNotFound):
		return problem.New(http.StatusNotFound, "no_key", "The user has no API key of this id.")
	case errors.Is(err, ErrTooMany):
		return problem.New(http.StatusConflict, "too_many_keys", "The user has as many API keys as a user may have. Revoke one first.")
	}
	return err
}
