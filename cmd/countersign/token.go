package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/problem"
)

// tokenSettings are the settings that say which tokens are good.
var tokenSettings = []string{"data", "database", "listen", "issuer", "jwt.audience", "jwt.secret_file"}

func tokenCommand(w *world) *cobra.Command {
	return group("token", "Sign, verify and explain tokens", tokenSign(w), tokenVerify(w), tokenExplain(w))
}

// onTokens returns a command that works on tokens with the keys of the server.
func onTokens(w *world, cmd *cobra.Command, run func(cmd *cobra.Command, a *app.App, args []string) error) *cobra.Command {
	s := addSettings(cmd, tokenSettings...)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		a, err := s.open(cmd, w, false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.Close()) }()
		return run(cmd, a, args)
	}
	return cmd
}

func tokenSign(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sign EMAIL|ID", Short: "Print an access token for a user, as a login would make it", Args: arguments("EMAIL|ID"),
	}
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		if u.Disabled() {
			return fmt.Errorf("%s is disabled: see `countersign user enable`", u.Email)
		}
		if err := a.CoverTokens(cmd.Context()); err != nil {
			return err
		}
		session, err := uuid.NewV7()
		if err != nil {
			return err
		}
		access, err := a.Tokens.Mint(token.Grant{User: u, Session: session.String()})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd, map[string]any{"token": access.Token, "token_type": "Bearer", "expires_in": int(access.TTL.Seconds())})
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), access.Token)
		return err
	})
}

func tokenVerify(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "verify [TOKEN]", Short: "Say whether the server would take a token; without TOKEN it is read from stdin", Args: cobra.MaximumNArgs(1),
	}
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, args []string) error {
		text, err := argumentOrLine(cmd, args, "token")
		if err != nil {
			return err
		}
		t, err := a.Tokens.Verify(cmd.Context(), text)
		if err != nil {
			return fmt.Errorf("refused: %w; `countersign token explain` shows every check", err)
		}
		holder, checks, err := checkHolder(cmd.Context(), a, t)
		if err != nil {
			return err
		}
		for _, c := range checks {
			if c.Status == jwt.Fail {
				return errors.New("refused: " + c.Reason)
			}
		}
		if asJSON {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", t.Payload())
			return err
		}
		expires := "never"
		if !t.ExpiresAt.IsZero() {
			expires = fmt.Sprintf("%s (in %s)", t.ExpiresAt.Format(time.RFC3339), time.Until(t.ExpiresAt).Round(time.Second))
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "good\nuser     %s %s\nexpires  %s\n", holder.ID, holder.Email, expires)
		return err
	})
}

func tokenExplain(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "explain [TOKEN]", Short: "Show every check that a token passes or fails; without TOKEN it is read from stdin", Args: cobra.MaximumNArgs(1),
	}
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, args []string) error {
		text, err := argumentOrLine(cmd, args, "token")
		if err != nil {
			return err
		}
		x := a.Tokens.Explain(cmd.Context(), text)
		if x.Valid() {
			if err := explainHolder(cmd.Context(), a, text, &x); err != nil {
				return err
			}
		}
		if asJSON {
			err = printJSON(cmd, x)
		} else {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), x)
		}
		if err == nil && !x.Valid() {
			err = errRefused
		}
		return err
	})
}

// explainHolder adds the checks that the server makes behind those of the token itself.
func explainHolder(ctx context.Context, a *app.App, text string, x *jwt.Explanation) error {
	t, err := a.Tokens.Verify(ctx, text)
	if err != nil {
		return err
	}
	_, checks, err := checkHolder(ctx, a, t)
	x.Checks = append(x.Checks, checks...)
	return err
}

// checkHolder returns whom a token speaks for, and why the server lets them in or not. The server decides; this finds out
// why it does.
func checkHolder(ctx context.Context, a *app.App, t *jwt.Token) (*token.Holder, []jwt.Check, error) {
	holder, ok := token.HolderOf(t)
	if !ok {
		return nil, []jwt.Check{{Name: "user", Status: jwt.Fail, Reason: "the token speaks for no user: user._id and sub differ or are missing"}}, nil
	}
	user, err := checkUser(ctx, a.Store, holder)
	if err != nil {
		return nil, nil, err
	}
	checks := []jwt.Check{checkSession(a.Revoked, holder), user}
	let, ok, err := a.Guard.Holder(ctx, t)
	if refusal := problem.From(err); err != nil && refusal.Status < 500 {
		ok, err = false, nil
	}
	if !ok && err == nil && !slices.ContainsFunc(checks, func(c jwt.Check) bool { return c.Status == jwt.Fail }) {
		checks = append(checks, jwt.Check{Name: "holder", Status: jwt.Fail, Reason: "the server does not let them in"})
	}
	return let, checks, err
}

// checkSession says whether what the token belongs to has ended.
func checkSession(revoked *revocation.Set, holder token.Holder) jwt.Check {
	c := jwt.Check{Name: "session", Status: jwt.Pass, Reason: "its session has not been ended"}
	switch {
	case holder.Legacy:
		c.Status, c.Reason = jwt.Skipped, "the founding app made it: it belongs to no session"
	case holder.Foreign:
		c.Status, c.Reason = jwt.Skipped, "it has no epoch, so this server did not make it for a session: a service that shares the secret may have"
	case revoked.Ended(holder.Session, ""):
		c.Status, c.Reason = jwt.Fail, "its session has been ended: by a logout, a change of password, or the reuse of an old refresh token, for example"
	case revoked.Ended("", holder.Epoch):
		c.Status, c.Reason = jwt.Fail, "all sessions of its user have been ended: by a logout everywhere, or because the user was disabled or deleted"
	}
	return c
}

// checkUser says what has become of the user.
func checkUser(ctx context.Context, users store.Users, holder token.Holder) (jwt.Check, error) {
	c := jwt.Check{Name: "user", Status: jwt.Pass, Reason: "it speaks for a user"}
	user, err := users.User(ctx, holder.ID)
	switch {
	case errors.Is(err, store.ErrNotFound) && holder.Foreign:
		c.Status, c.Reason = jwt.Skipped, "there is no such user here: the service that shares the secret is believed"
	case errors.Is(err, store.ErrNotFound):
		c.Status, c.Reason = jwt.Fail, "its user has been deleted, or never was"
	case err != nil:
		return c, err
	case user.Disabled():
		c.Status, c.Reason = jwt.Fail, "its user is disabled"
	}
	return c, nil
}

// errRefused ends the command with a failure that the output has explained already.
var errRefused = errors.New("")

// argumentOrLine returns the only argument or, without one, the first line of stdin.
func argumentOrLine(cmd *cobra.Command, args []string, what string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	text, err := readLine(cmd.InOrStdin())
	if err == nil && text == "" {
		err = fmt.Errorf("no %s came on stdin", what)
	}
	return text, err
}
