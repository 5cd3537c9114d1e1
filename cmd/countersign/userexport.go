package main

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

// personView is everything that is held about a person. Docs/moving.md names its fields.
type personView struct {
	User        userView          `json:"user"`
	Data        json.RawMessage   `json:"data"`
	AdminData   json.RawMessage   `json:"admin_data"`
	Credentials []credentialView  `json:"credentials"`
	APIKeys     []apikey.KeyView  `json:"api_keys"`
	Sessions    []account.Session `json:"sessions"`
	Events      []audit.Line      `json:"events"`
}

// credentialView is a way to log in, without what proves it.
type credentialView struct {
	Method    string    `json:"method"`
	Key       string    `json:"key"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func userExport(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export EMAIL|ID", Short: "Print everything that is held about a user, as JSON", Args: arguments("EMAIL|ID"),
		Long: `Print everything that is held about a user, as JSON: the account, its data, the ways to log in (not what proves them:
hashes are not printed), the API keys (not their secrets), the sessions with their devices and addresses, and the events of the audit log about the user
or the address. The whole log is read for that.`,
		Example: "  countersign user export mike@example.com >mike.json",
	}
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		person, err := personOf(cmd.Context(), a, u)
		if err != nil {
			return err
		}
		return printJSON(cmd, person)
	})
}

func personOf(ctx context.Context, a *app.App, u store.User) (p personView, err error) {
	p = personView{
		User: viewOf(u), Data: printable(u.Data), AdminData: printable(u.AdminData), Credentials: []credentialView{}, Events: []audit.Line{},
	}
	whole, err := accountOf(ctx, a.Store, u.ID)
	if err != nil {
		return p, err
	}
	for _, c := range whole.Credentials {
		p.Credentials = append(p.Credentials, credentialView{c.Method, c.Key, c.CreatedAt.UTC(), c.UpdatedAt.UTC()})
	}
	keys, err := a.APIKeys.List(ctx, u.ID)
	if err != nil {
		return p, err
	}
	p.APIKeys = keyViews(keys)
	sessions, err := a.Store.ListSessions(ctx, u.ID)
	if err != nil {
		return p, err
	}
	p.Sessions = account.SessionsOf(sessions, "")
	subject := a.Passwords.Flow.Subject(u.EmailKey)
	err = eachEvent(ctx, a.Store, "", behindAll, func(e store.Event) error {
		if e.UserID == u.ID || e.UserID == "" && e.Subject == subject { // another user may have had the address before
			p.Events = append(p.Events, audit.Line(e))
		}
		return nil
	})
	return p, err
}

// accountOf returns the account of a user. Pages of accounts are behind an id: they begin behind the id without its last character,
// which is less than the id and nearly always next to it.
func accountOf(ctx context.Context, s store.Archive, id string) (store.Account, error) {
	const page = 100
	_, last := utf8.DecodeLastRuneInString(id)
	for after := id[:len(id)-last]; ; {
		accounts, err := s.Accounts(ctx, after, page)
		if err != nil {
			return store.Account{}, err
		}
		for _, a := range accounts {
			if a.User.ID == id {
				return a, nil
			}
		}
		if len(accounts) < page || accounts[len(accounts)-1].User.ID > id {
			return store.Account{}, store.ErrNotFound // gone meanwhile
		}
		after = accounts[len(accounts)-1].User.ID
	}
}
