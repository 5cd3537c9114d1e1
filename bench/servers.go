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

// A server is one row of the comparison. To add one, add it to servers.
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

	startup  bool // measure cold start and idle memory
	baseline bool // the ratio is taken to this one
	subject  bool // the targets are about this one
}

// servers lists what this run compares, in the order of the table, and starts
// the database that the Express app needs.
func (b *bench) servers(ctx context.Context) ([]server, error) {
	secret := rand.Text() + rand.Text() // 52 bytes
	var list []server
	if b.wants(groupCountersign) {
		list = append(list,
			b.countersign("countersign", "Countersign", secret, "off"),
			b.countersign("countersign-log", "Countersign, access log to a file", secret, "on"))
		list[0].startup, list[0].subject = true, true
	}
	if b.wants(groupPlain) {
		list = append(list,
			b.plain("bare", "Plain Go handler, token not checked", secret),
			b.plain("jwt", "Plain Go handler, golang-jwt", secret))
	}
	if b.wants(groupExpress) {
		uri, err := b.startMongowire(ctx)
		if err != nil {
			return nil, err
		}
		app, err := filepath.Abs("express/app.mjs")
		if err != nil {
			return nil, err
		}
		list = append(list, server{
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
			startup: true, baseline: true,
		})
	}
	return list, nil
}

func (b *bench) countersign(name, label, secret, accessLog string) server {
	return server{
		name:  name,
		label: label,
		group: groupCountersign,
		argv:  []string{b.binary("countersign"), "serve"},
		env: []string{
			b.goMaxProcs(),
			"COUNTERSIGN_DATA=" + filepath.Join(b.tmp, name+"-data"),
			"COUNTERSIGN_JWT_SECRET=" + secret,
			"COUNTERSIGN_LIMITS_INSECURE_DISABLED=true",
			"COUNTERSIGN_ACCESS_LOG=" + accessLog, // goes to stderr, which is a file here
		},
		listen: func(addr string) (arg, env []string) {
			return nil, []string{"COUNTERSIGN_LISTEN=" + addr}
		},
		readyPath: "/healthz", readyStatus: http.StatusOK,
	}
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
		[]string{b.binary("mongowire"), "-listen", "127.0.0.1:0", "-dir", filepath.Join(b.tmp, "mongo")},
		[]string{b.goMaxProcs()})
	if err != nil {
		return "", err
	}
	return p.firstLine(ctx)
}

// baseEnv is all that servers inherit: a COUNTERSIGN_ or NODE_OPTIONS variable
// of the shell must not change what is measured.
func (b *bench) baseEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.tmp}
}
