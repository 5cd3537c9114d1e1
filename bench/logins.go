package main

import (
	"context"
	"net/http"
	"time"
)

const (
	loginClients  = 16
	loginAccounts = 16
)

// A loginRow is one server that people log in to. There is one sight a round.
type loginRow struct {
	*instance
	crowd []sight // of loginClients at a time
	lone  []sight // of one after the other
}

// logins compares what servers make of their core when many log in, and how
// long one waits who is alone.
func (b *bench) logins(ctx context.Context) (section, error) {
	servers, err := b.loginServers(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]*loginRow, len(servers))
	requests := make([][][]byte, len(servers))
	for i, s := range servers {
		up, err := b.bringUp(ctx, s)
		if err != nil {
			return nil, err
		}
		rows[i] = &loginRow{instance: up.instance}
		if requests[i], err = up.loginRequests(ctx); err != nil {
			return nil, err
		}
	}
	for n := range b.rounds {
		for i, r := range rows {
			many, err := b.observe(ctx, r.instance, loginCrowd(loginClients, requests[i]))
			if err != nil {
				return nil, err
			}
			r.crowd = append(r.crowd, many)
			b.progress("round %d of %d: %s: %.1f logins/s", n+1, b.rounds, r.label, many.Crowds[0].PerSecond)
		}
		// These stand next to each other in time: their difference is small.
		for i, r := range rows {
			one, err := b.observe(ctx, r.instance, loginCrowd(1, requests[i]))
			if err != nil {
				return nil, err
			}
			r.lone = append(r.lone, one)
			b.progress("round %d of %d: %s: one login takes %s", n+1, b.rounds, r.label, millis(one.Crowds[0].P50))
		}
	}
	return newLoginReport(b.options, rows), nil
}

// loginRequests signs up accounts and gives the bytes that log them in.
func (i *instance) loginRequests(ctx context.Context) ([][]byte, error) {
	var requests [][]byte
	for range loginAccounts {
		a := newAccount()
		if err := i.signUp(ctx, a); err != nil {
			return nil, err
		}
		wire, err := a.to("/login").wire(i.addr())
		if err != nil {
			return nil, err
		}
		requests = append(requests, wire)
	}
	return requests, nil
}

func loginCrowd(clients int, requests [][]byte) crowd {
	return crowd{Name: "logins", Clients: clients, Requests: requests, Want: []byte(`"token":`)}
}

// loginServers lists the rows of logins and of the storm.
func (b *bench) loginServers(ctx context.Context) ([]server, error) {
	secret := newSecret()
	var list []server
	if b.wants(groupCountersign) {
		ours := b.countersign("countersign", "Countersign", secret)
		ours.subject = true
		list = append(list, ours)
	}
	if b.wants(groupPlain) {
		list = append(list, b.plainGo(secret))
	}
	if b.wants(groupExpress) {
		express, err := b.express(ctx, secret)
		if err != nil {
			return nil, err
		}
		list = append(list, express)
	}
	return list, nil
}

func (b *bench) plainGo(secret string) server {
	return server{
		name:  "plaingo",
		label: "Plain Go, x/crypto/bcrypt",
		group: groupPlain,
		argv:  []string{b.binary("plaingo")},
		env:   []string{b.goMaxProcs(), "JWT_SECRET=" + secret},
		listen: func(addr string) (arg, env []string) {
			return []string{"-listen", addr}, nil
		},
		readyPath: "/healthz", readyStatus: http.StatusOK,
	}
}

func perSecond(s sight) float64    { return s.Crowds[0].PerSecond }
func middle(s sight) time.Duration { return s.Crowds[0].P50 }
func slow(s sight) time.Duration   { return s.Crowds[0].P99 }
func mean(s sight) time.Duration   { return s.Crowds[0].Mean }
func serverCPU(s sight) float64    { return s.ServerCPU }
func loadCPU(s sight) float64      { return s.LoadCPU }
