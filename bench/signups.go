package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

const signupClients = 64

// signups measures how many people can sign up in a second when hashing costs next
// to nothing, and so what the commits allow. Server and load share the two cores.
func (b *bench) signups(ctx context.Context) (section, error) {
	s := b.countersign("signups", "Countersign", newSecret())
	s.spread = true
	s.env = append(s.env, "COUNTERSIGN_PASSWORD_BCRYPT_COST=4", "GOMAXPROCS=2")
	up, err := b.bringUp(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &signupReport{options: b.options}
	for n := range b.rounds {
		crowd, err := signupCrowd(up.instance)
		if err != nil {
			return nil, err
		}
		seen, err := b.observe(ctx, up.instance, crowd)
		if err != nil {
			return nil, err
		}
		r.seen = append(r.seen, seen)
		b.progress("round %d of %d: %s sign-ups/s, p99 %s", n+1, b.rounds, thousands(perSecond(seen)), millis(slow(seen)))
	}
	r.judge()
	return r, nil
}

func signupCrowd(i *instance) (crowd, error) {
	c := crowd{Name: "sign-ups", Clients: signupClients, Want: []byte(`"user"`), Fresh: true}
	for range c.Clients {
		wire, err := newAccount().to("/signup").wire(i.addr())
		if err != nil {
			return c, err
		}
		c.Requests = append(c.Requests, wire)
	}
	return c, nil
}

// freshen writes another address over the one in a request as [account.to] makes
// it: one just as long, whatever it was.
func freshen(wire []byte) error {
	const field = "email="
	before, body, ok := strings.Cut(string(wire), "\r\n\r\n"+field)
	next := newAccount().email
	name, _, found := strings.Cut(next, "@")
	if !ok || !found || len(body) < len(name) {
		return fmt.Errorf("no %s in a %s request", field, http.MethodPost)
	}
	copy(wire[len(before)+len("\r\n\r\n"+field):], name)
	return nil
}
