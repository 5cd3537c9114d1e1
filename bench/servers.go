package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// The groups that -only chooses from.
const (
	groupExpress     = "express"
	groupPlain       = "plain"
	groupCountersign = "countersign"
)

var groups = []string{groupCountersign, groupPlain, groupExpress}

// A server is one row of a comparison. To add one, add it to the scenario's list.
type server struct {
	name  string // of its log and its data folder
	label string // in the table
	group string
	argv  []string
	env   []string // beyond PATH and HOME
	// listen gives the setting that makes it listen there, as an argument or
	// as a variable.
	listen func(addr string) (arg, env []string)

	// A server is up when this path answers this status.
	readyPath   string
	readyStatus int

	spread   bool // runs on the load's core, too
	constant bool // answers the same bytes to everything
	startup  bool // measure cold start and idle memory
	baseline bool // the ratio is taken to this one
	subject  bool // the targets are about this one
}

// profileServers lists the rows of the profile scenario, in the order of the table.
func (b *bench) profileServers(ctx context.Context) ([]server, error) {
	secret := newSecret()
	var list []server
	if b.wants(groupCountersign) {
		ours := b.countersign("countersign", "Countersign", secret)
		ours.startup, ours.subject = true, true
		logging := b.countersign("countersign-log", "Countersign, access log to a file", secret)
		logging.env = append(logging.env, "COUNTERSIGN_ACCESS_LOG=on") // to stderr, which is a file here
		list = append(list, ours, logging)
	}
	if b.wants(groupPlain) {
		list = append(list,
			b.plain("bare", "Plain Go handler, token not checked", secret),
			b.plain("jwt", "Plain Go handler, golang-jwt", secret))
	}
	if b.wants(groupExpress) {
		express, err := b.express(ctx, secret)
		if err != nil {
			return nil, err
		}
		express.startup = true
		list = append(list, express)
	}
	return list, nil
}

func newSecret() string { return rand.Text() + rand.Text() } // 52 bytes

// express starts the database that the app needs, too.
func (b *bench) express(ctx context.Context, secret string) (server, error) {
	uri, err := b.startMongowire(ctx)
	if err != nil {
		return server{}, err
	}
	app, err := filepath.Abs("express/app.mjs")
	if err != nil {
		return server{}, err
	}
	return server{
		name:  "express",
		label: "Express + Passport + Mongoose",
		group: groupExpress,
		argv:  []string{"node", app},
		env:   []string{"NODE_ENV=production", "MONGO_URL=" + uri + "bench", "JWT_SECRET=" + secret},
		listen: func(addr string) (arg, env []string) {
			return nil, []string{"PORT=" + portOf(addr)}
		},
		// It has no health route; a refusal shows that it is up.
		readyPath: "/user/profile", readyStatus: http.StatusUnauthorized,
		baseline: true,
	}, nil
}

// countersign is without limits and log; without a secret it signs with a key of
// its own. A variable that is appended to env wins over an earlier one.
func (b *bench) countersign(name, label, secret string) server {
	s := server{
		name:  name,
		label: label,
		group: groupCountersign,
		argv:  []string{b.binary("countersign"), "serve"},
		env: []string{
			b.goMaxProcs(),
			"COUNTERSIGN_DATA=" + filepath.Join(b.dir, name+"-data"),
			"COUNTERSIGN_LIMITS_INSECURE_DISABLED=true",
			"COUNTERSIGN_ACCESS_LOG=off",
		},
		listen: func(addr string) (arg, env []string) {
			return nil, []string{"COUNTERSIGN_LISTEN=" + addr}
		},
		readyPath: "/healthz", readyStatus: http.StatusOK,
	}
	if secret != "" {
		s.env = append(s.env, "COUNTERSIGN_JWT_SECRET="+secret)
	}
	return s
}

func (b *bench) plain(mode, label, secret string) server {
	return server{
		name:  "plain-" + mode,
		label: label,
		group: groupPlain,
		argv:  []string{b.binary("plainjwt"), "-mode", mode},
		env:   []string{b.goMaxProcs(), "JWT_SECRET=" + secret},
		listen: func(addr string) (arg, env []string) {
			return []string{"-listen", addr}, nil
		},
		readyPath: "/healthz", readyStatus: http.StatusOK,
	}
}

func (b *bench) goMaxProcs() string { return "GOMAXPROCS=" + strconv.Itoa(b.maxProcs) }

// startMongowire puts the database on the servers' core too: Countersign's own
// store works on that core, so the app's must not have a core to itself.
func (b *bench) startMongowire(ctx context.Context) (uri string, err error) {
	b.progress("starting mongowire")
	p, err := b.start(ctx, "mongowire",
		[]string{b.binary("mongowire"), "-listen", "127.0.0.1:0", "-dir", filepath.Join(b.dir, "mongo")},
		[]string{b.goMaxProcs()})
	if err != nil {
		return "", err
	}
	return p.firstLine(ctx)
}

// baseEnv is all that servers inherit: a COUNTERSIGN_ or NODE_OPTIONS variable
// of the shell must not change what is measured.
func (b *bench) baseEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir}
}
