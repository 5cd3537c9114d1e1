package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const (
	floodRate        = 10_000 // attempts a second
	floodDuration    = 10 * time.Second
	floodConnections = 1000
	floodAccounts    = 200
	floodTimeout     = 10 * time.Second // of one attempt
	floodAddresses   = 10_000
)

// A floodRow is one flood of logins upon Countersign with its limits on.
type floodRow struct {
	label   string
	calmP99 time.Duration // of lone reads, before
	flood   deluge
	peakMiB float64 // the larger of VmHWM and the next
	rssMiB  float64 // the largest VmRSS that was sampled
	healthy time.Duration
}

// flood offers far more logins than any machine can check.
func (b *bench) flood(ctx context.Context) (section, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ground, err := b.floodGround(ctx, addr)
	if err != nil {
		return nil, err
	}
	var rows []*floodRow
	for _, kind := range []struct {
		name, label string
		addresses   int
	}{
		{"one", "from one address", 1},
		{"many", fmt.Sprintf("over %s addresses", thousands(floodAddresses)), floodAddresses},
	} {
		row, err := b.floodOnce(ctx, ground, kind.name, kind.addresses)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.label, err)
		}
		row.label = "Countersign, " + kind.label
		rows = append(rows, row)
		b.progress("%s: %v", row.label, row.flood.Statuses)
	}
	return newFloodReport(b.options, rows), nil
}

// A ground is a database that has accounts, and somebody who is logged in.
type ground struct {
	addr   string
	server server
	data   string
	bodies [][]byte // of attempts
	read   request
}

// floodGround fills the database without limits, or they would be met here.
func (b *bench) floodGround(ctx context.Context, addr string) (*ground, error) {
	g := &ground{addr: addr, server: b.countersign("flood", "Countersign", newSecret()), data: filepath.Join(b.dir, "flood-data")}
	i := &instance{server: g.server, base: "http://" + addr, account: newAccount()}
	if _, err := b.launch(ctx, i, addr); err != nil {
		return nil, err
	}
	b.progress("signing up %d accounts", floodAccounts)
	for range floodAccounts {
		a := newAccount()
		if err := i.signUp(ctx, a); err != nil {
			return nil, err
		}
		g.bodies = append(g.bodies, attempts(a)...)
	}
	if err := i.signUp(ctx, i.account); err != nil {
		return nil, err
	}
	var err error
	if g.read, err = profileLoad.prepare(ctx, i); err != nil {
		return nil, err
	}
	return g, i.stop()
}

// attempts are one with the right password, one with a wrong one, and one for an
// address that nobody has.
func attempts(a account) (bodies [][]byte) {
	for _, attempt := range []account{a, {a.email, "not " + a.password}, {"no." + a.email, a.password}} {
		bodies = append(bodies, []byte(attempt.to("").body))
	}
	return bodies
}

// floodOnce floods a fresh start of the server on a copy of the database.
func (b *bench) floodOnce(ctx context.Context, g *ground, name string, addresses int) (*floodRow, error) {
	s := g.server
	s.name = "flood-" + name
	data := filepath.Join(b.dir, s.name+"-data")
	// With the modes: the server refuses a database that others may read.
	if err := b.tool(ctx, ".", "cp", "-a", g.data, data); err != nil {
		return nil, err
	}
	s.env = append(s.env[:len(s.env):len(s.env)], "COUNTERSIGN_DATA="+data, "COUNTERSIGN_LIMITS_INSECURE_DISABLED=false")
	if addresses > 1 {
		s.env = append(s.env, "COUNTERSIGN_TRUSTED_PROXIES=127.0.0.1")
	}
	i := &instance{server: s, base: "http://" + g.addr}
	if _, err := b.launch(ctx, i, g.addr); err != nil {
		return nil, err
	}
	b.progress("flooding for %v, %s", floodDuration, name)
	row := &floodRow{}
	var err error
	if row.calmP99, err = readP99(ctx, i, g.read, calmReads); err != nil {
		return nil, err
	}
	watched, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	largest := i.watchMemory(watched)
	if err := b.attack(ctx, i, flood{i.addr(), g.bodies, addresses, g.read.header}, row, g.read); err != nil {
		return nil, err
	}
	stopWatching()
	row.rssMiB = <-largest
	peak, err := i.memory("VmHWM")
	if err != nil {
		return nil, err
	}
	row.peakMiB = max(peak, row.rssMiB) // each is a little off
	return row, i.stop()
}

// attack runs the generator, and waits for the server to be well again from the
// moment that no further attempt is offered. What is still under way then, the
// server has to bear meanwhile.
func (b *bench) attack(ctx context.Context, i *instance, f flood, row *floodRow, read request) error {
	plan, err := json.Marshal(f)
	if err != nil {
		return err
	}
	cmd, err := b.onLoadCore(ctx, jobFlood)
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(plan), &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	_, err = lines.ReadString('\n') // the offer has ended
	if err == nil {
		row.healthy, err = i.untilHealthy(ctx, read, row.calmP99)
	}
	if err == nil {
		err = json.NewDecoder(lines).Decode(&row.flood)
	}
	if err != nil {
		_ = cmd.Process.Kill()
	}
	if ended := cmd.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("%w: %s\n%s", ended, bytes.TrimSpace(stderr.Bytes()), tail(i.stderr)))
	}
	return err
}
