package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // takes a user's password away, for which there is no command
)

const (
	timingAccounts = 4 // of each kind
	timingWarmup   = 5 // rounds that do not count
)

// A timingKind is a login that has to be refused, and what is special about it.
type timingKind struct {
	label string
	// address makes the kind's addresses from those of accounts that are signed
	// up for it; nil leaves them.
	address func(signedUp string) string
	// right guesses the password that the account was signed up with, instead of
	// another one each time.
	right              bool
	disabled, stripped bool
}

// timingKinds begins with the one that the others are compared with. The second
// is the same again: what there is between these two is noise.
var timingKinds = []timingKind{
	{label: "unknown address", address: unknownOf},
	{label: "unknown address, again", address: unknownOf},
	{label: "no address at all (`nobody`)", address: func(string) string { return "nobody" }},
	{label: "wrong password"},
	{label: "disabled user, wrong password", disabled: true},
	{label: "disabled user, right password", disabled: true, right: true},
	{label: "user without a password, the former one", stripped: true, right: true},
}

// unknownOf has the length of any other address.
func unknownOf(string) string { return newAccount().email }

// A timingRow is what was seen of one kind of guess.
type timingRow struct {
	label string
	took  []time.Duration
}

// timing looks for what the time of a refused login tells of the account, as
// somebody would who has the server to himself.
func (b *bench) timing(ctx context.Context) (section, error) {
	s := b.countersign("timing", "Countersign", newSecret())
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	i := &instance{server: s, base: "http://" + addr}
	if _, err := b.launch(ctx, i, addr); err != nil {
		return nil, err
	}
	accounts, err := b.timingGround(ctx, i)
	if err != nil {
		return nil, err
	}
	// What was made of the accounts is to be in no cache.
	if _, err := b.relaunch(ctx, i, addr); err != nil {
		return nil, err
	}
	p := probe{Addr: addr, PID: i.cmd.Process.Pid}
	kinds := make([]int, 0, (timingWarmup+b.guesses)*len(timingKinds))
	for round := range timingWarmup + b.guesses {
		// A change in the machine's speed meets all kinds alike.
		for _, kind := range mathrand.Perm(len(timingKinds)) {
			wire, err := timingKinds[kind].guess(accounts[kind][round%timingAccounts]).wire(addr)
			if err != nil {
				return nil, err
			}
			p.Guesses = append(p.Guesses, wire)
			kinds = append(kinds, kind)
		}
	}
	b.progress("%d guesses, one after the other", len(p.Guesses))
	var seen probed
	if err := b.onJob(ctx, i, jobProbe, p, &seen); err != nil {
		return nil, err
	}
	rows, err := timingRows(kinds, seen)
	if err != nil {
		return nil, err
	}
	return newTimingReport(b.options, rows, seen.ServerCPU), nil
}

// timingGround makes the accounts of each kind, and shows that each can log in
// before something is done to it.
func (b *bench) timingGround(ctx context.Context, i *instance) ([][]account, error) {
	accounts := make([][]account, len(timingKinds))
	var stripped []account
	for k, kind := range timingKinds {
		for range timingAccounts {
			a := newAccount()
			accounts[k] = append(accounts[k], a)
			if kind.address != nil {
				continue
			}
			if err := i.signUp(ctx, a); err != nil {
				return nil, err
			}
			if _, err := i.logIn(ctx, a); err != nil {
				return nil, err
			}
			if kind.disabled {
				if err := b.disable(ctx, i, a); err != nil {
					return nil, err
				}
			}
			if kind.stripped {
				stripped = append(stripped, a)
			}
		}
	}
	if err := i.stop(); err != nil {
		return nil, err
	}
	return accounts, strip(ctx, filepath.Join(b.dir, "timing-data", "countersign.db"), stripped)
}

// disable works beside the running server.
func (b *bench) disable(ctx context.Context, i *instance, a account) error {
	p, err := b.start(ctx, "disable", []string{b.binary("countersign"), "user", "disable", a.email}, i.env)
	if err != nil {
		return err
	}
	<-p.done
	if !p.cmd.ProcessState.Success() {
		return p.ended()
	}
	return nil
}

// strip leaves users without a password, as those will be who log in otherwise.
// The server is down meanwhile.
func strip(ctx context.Context, path string, users []account) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, u := range users {
		result, err := db.ExecContext(ctx, "DELETE FROM credentials WHERE user_id = (SELECT id FROM users WHERE email = ?)", u.email)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("%s had %d passwords", u.email, n))
		}
	}
	return nil
}

// guess is the next login to try at a. A wrong password is another each time, as
// one that fails at many accounts is noticed.
func (k timingKind) guess(a account) request {
	if k.address != nil {
		a.email = k.address(a.email)
	}
	if !k.right {
		a.password = rand.Text()
	}
	return a.to("/login")
}

// timingRows sorts the guesses by kind. Two that were not answered alike are an
// error: nobody would need a clock then.
func timingRows(kinds []int, seen probed) ([]*timingRow, error) {
	if len(seen.Took) != len(kinds) || len(seen.Answers) != len(kinds) {
		return nil, fmt.Errorf("%d guesses, %d answers", len(kinds), len(seen.Answers))
	}
	rows := make([]*timingRow, len(timingKinds))
	for k := range rows {
		rows[k] = &timingRow{label: timingKinds[k].label}
	}
	for n, kind := range kinds {
		if seen.Answers[n] != seen.Answers[0] {
			return nil, fmt.Errorf("not answered alike:\n%s: %s\n%s: %s",
				timingKinds[kinds[0]].label, seen.Answers[0], timingKinds[kind].label, seen.Answers[n])
		}
		if n >= timingWarmup*len(timingKinds) {
			rows[kind].took = append(rows[kind].took, seen.Took[n])
		}
	}
	return rows, nil
}
