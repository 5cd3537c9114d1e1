package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit/need"
	"github.com/countersign-auth/countersign/internal/testkit/proxytest"
)

// forwardAuth compares nginx that asks Countersign for leave with the same nginx that asks a handler which says yes to
// everything: the files of examples/nginx, and one site behind both.
func (b *bench) forwardAuth(ctx context.Context) (section, error) {
	pairs, err := b.proxyPairs(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.runPairs(ctx, pairs); err != nil {
		return nil, err
	}
	return newPairsReport(pairsReport{
		options: b.options, pairs: pairs, title: "Forward auth through nginx", ceiling: "bare handler",
		about: "nginx with the files of examples/nginx, which asks Countersign about each request, beside the same nginx that asks a bare " +
			"net/http handler. nginx, whom it asks and the site behind share a core, and their CPU time is added up.",
	}), nil
}

func (b *bench) proxyPairs(ctx context.Context) ([]*pair, error) {
	rules, err := filepath.Abs("../examples/rules.yaml")
	if err != nil {
		return nil, err
	}
	s := b.countersign("forward", "Countersign", "")
	s.env = append(s.env, "COUNTERSIGN_TRUSTED_PROXIES=127.0.0.1", "COUNTERSIGN_RULES_FILE="+rules)
	ours, err := b.bringUp(ctx, s)
	if err != nil {
		return nil, err
	}
	site, err := b.bare(ctx, "site", 200)
	if err != nil {
		return nil, err
	}
	yes, err := b.bare(ctx, "yes", 0) // nginx keeps no connection on which an answer to auth_request had a body
	if err != nil {
		return nil, err
	}
	known, err := introduction(ctx, ours.instance)
	if err != nil {
		return nil, err
	}
	says, err := b.bare(ctx, "says", 0, known...)
	if err != nil {
		return nil, err
	}
	guarded, err := b.nginx(ctx, "nginx", ours.instance, site)
	if err != nil {
		return nil, err
	}
	ceiling, err := b.nginx(ctx, "nginx-bare", yes, site)
	if err != nil {
		return nil, err
	}
	telling, err := b.nginx(ctx, "nginx-says", says, site)
	if err != nil {
		return nil, err
	}
	load := func(path string, signedIn bool) func(context.Context, time.Duration) (wrkLoad, error) {
		return func(context.Context, time.Duration) (wrkLoad, error) {
			return wrkLoad{prepare: func(ctx context.Context, _ *instance) (request, error) {
				r := request{method: http.MethodGet, path: path, header: http.Header{"Host": {proxytest.APIHost}}}
				if signedIn {
					token, err := ours.logIn(ctx, ours.account)
					if err != nil {
						return request{}, err
					}
					r.header.Set("Authorization", "Bearer "+token)
				}
				return r, nil
			}}, nil
		}
	}
	return []*pair{
		{label: "Somebody signed in, ES256, warm", atLeast: 0.90, ours: guarded, ceiling: ceiling, load: load("/orders/7", true)},
		{label: "The same, to a bare handler that says who it is", atLeast: 0.90, ours: guarded, ceiling: telling, load: load("/orders/7", true)},
		{label: "A public path, nobody signed in", atLeast: 0.90, ours: guarded, ceiling: ceiling, load: load("/status", false)},
	}, nil
}

// introduction returns the headers by which Countersign tells nginx who somebody is.
func introduction(ctx context.Context, i *instance) (lines []string, err error) {
	token, err := i.logIn(ctx, i.account)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.base+"/forward-auth?for=nginx", http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{
		"Authorization": {"Bearer " + token}, "X-Forwarded-Method": {http.MethodGet}, "X-Forwarded-Proto": {"http"},
		"X-Forwarded-Host": {proxytest.APIHost}, "X-Forwarded-Uri": {"/orders/7"},
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	for name, values := range res.Header {
		if strings.HasPrefix(name, "X-User-") {
			lines = append(lines, name+": "+values[0])
		}
	}
	if len(lines) == 0 {
		err = fmt.Errorf("%s: /forward-auth answered %s and nobody's name", i.label, res.Status)
	}
	return lines, errors.Join(err, res.Body.Close())
}

// bare starts net/http's server as it comes, with a handler that answers these headers and so many bytes.
func (b *bench) bare(ctx context.Context, name string, length int, header ...string) (*instance, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	argv := []string{b.binary("constant"), "-naked", "-length", fmt.Sprint(length), "-listen", addr}
	for _, line := range header {
		argv = append(argv, "-header", line)
	}
	i := &instance{base: "http://" + addr, server: server{
		name: name, label: "bare handler (" + name + ")", constant: true,
		argv:      argv,
		env:       []string{b.goMaxProcs()},
		listen:    func(string) (arg, env []string) { return nil, nil },
		readyPath: "/", readyStatus: http.StatusOK,
	}}
	_, err = b.launch(ctx, i, addr)
	return i, err
}

// nginx starts one that asks guard, before that site.
func (b *bench) nginx(ctx context.Context, name string, guard, site *instance) (*instance, error) {
	bin, err := need.FindServer("nginx")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	argv, err := proxytest.ConfigureNginx(dir, bin, addr, proxytest.Servers{Countersign: guard.addr(), API: site.addr(), App: site.addr()})
	if err != nil {
		return nil, err
	}
	i := &instance{base: "http://" + addr, server: server{
		name: name, label: "nginx before " + guard.label, constant: true, argv: argv,
		listen:    func(string) (arg, env []string) { return nil, nil },
		readyPath: "/", readyStatus: http.StatusMisdirectedRequest, // without the name of a site
	}}
	if _, err := b.launch(ctx, i, addr); err != nil {
		return nil, err
	}
	i.counts = []*process{guard.process, site.process}
	return i, nil
}
