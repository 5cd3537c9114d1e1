package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"
)

const refreshClients = 64

// A refreshRow is one size of the database. There is one sight a round.
type refreshRow struct {
	label    string
	sessions int // in the database, beside those of the clients
	seen     []sight
	startMiB float64 // resident at idle after the start
	endMiB   float64 // and after the load
	peakMiB  float64
}

// refresh measures how many refresh tokens a second the server exchanges, and that
// its memory does not grow with the sessions in the database.
func (b *bench) refresh(ctx context.Context) (section, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := b.countersign("refresh", "Countersign", "")
	s.env = append(s.env, "COUNTERSIGN_JWT_ALGORITHM=ES256")
	i := &instance{server: s, base: "http://" + addr, account: newAccount()}
	if _, err := b.launch(ctx, i, addr); err != nil {
		return nil, err
	}
	accounts, err := b.signUpClients(ctx, i)
	if err != nil {
		return nil, err
	}
	few := &refreshRow{label: "sessions of the clients alone"}
	many := &refreshRow{label: fmt.Sprintf("and %s more", thousands(float64(b.sessions))), sessions: b.sessions}
	if err := b.refreshRow(ctx, i, addr, accounts, few); err != nil {
		return nil, err
	}
	// They belong to somebody who does not log in again: at a login the server
	// would end all but a few of that user's.
	if _, err := i.logIn(ctx, i.account); err != nil {
		return nil, err
	}
	if err := i.stop(); err != nil {
		return nil, err
	}
	b.progress("filling the database with %s sessions", thousands(float64(b.sessions)))
	if err := fillSessions(ctx, filepath.Join(b.dir, "refresh-data", "countersign.db"), i.account.email, b.sessions); err != nil {
		return nil, err
	}
	if err := b.refreshRow(ctx, i, addr, accounts, many); err != nil {
		return nil, err
	}
	return newRefreshReport(b.options, []*refreshRow{few, many}), nil
}

// signUpClients makes an account for each client and one that has the sessions of
// nobody.
func (b *bench) signUpClients(ctx context.Context, i *instance) ([]account, error) {
	accounts := make([]account, refreshClients)
	for n := range accounts {
		accounts[n] = newAccount()
		if err := i.signUp(ctx, accounts[n]); err != nil {
			return nil, err
		}
	}
	return accounts, i.signUp(ctx, i.account)
}

// refreshRow starts the server anew and has every client refresh its own session
// all the time.
func (b *bench) refreshRow(ctx context.Context, i *instance, addr string, accounts []account, r *refreshRow) error {
	if _, err := b.relaunch(ctx, i, addr); err != nil {
		return err
	}
	if err := pause(ctx, idle); err != nil {
		return err
	}
	var err error
	if r.startMiB, err = i.memory("VmRSS"); err != nil {
		return err
	}
	for n := range b.rounds {
		crowd, err := b.refreshCrowd(ctx, i, accounts)
		if err != nil {
			return err
		}
		seen, err := b.observe(ctx, i, crowd)
		if err != nil {
			return err
		}
		r.seen = append(r.seen, seen)
		b.progress("round %d of %d: %s: %s refreshes/s, p99 %s", n+1, b.rounds, r.label,
			thousands(perSecond(seen)), millis(slow(seen)))
	}
	if r.endMiB, err = i.memory("VmRSS"); err != nil {
		return err
	}
	r.peakMiB, err = i.memory("VmHWM")
	return err
}

// refreshCrowd logs every account in.
func (b *bench) refreshCrowd(ctx context.Context, i *instance, accounts []account) (crowd, error) {
	c := crowd{Name: "refreshes", Clients: len(accounts), Want: []byte(`"token":`), Refresh: true}
	for _, a := range accounts {
		body, err := i.do(ctx, a.to("/login"))
		if err != nil {
			return c, err
		}
		token, err := refreshTokenIn(body)
		if err != nil {
			return c, fmt.Errorf("%s: login: %w", i.label, err)
		}
		wire, err := refreshWith(token).wire(i.addr())
		if err != nil {
			return c, err
		}
		c.Requests = append(c.Requests, wire)
	}
	return c, nil
}

func refreshWith(token string) request {
	return request{
		method: http.MethodPost,
		path:   "/token/refresh",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		body:   url.Values{"refresh_token": {token}}.Encode(),
	}
}

// refreshTokenIn takes the refresh token out of an answer.
func refreshTokenIn(body []byte) (string, error) {
	var answer struct {
		Token string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	if answer.Token == "" {
		return "", fmt.Errorf("no refresh_token in the answer: %.200s", bytes.TrimSpace(body))
	}
	return answer.Token, nil
}

func refreshP99(r *refreshRow) time.Duration { return medianOf(r.seen, slow) }
