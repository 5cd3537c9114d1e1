package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An instance is a running server and an account on it.
type instance struct {
	server
	*process
	base string // http://127.0.0.1:port
	account
}

func (i *instance) addr() string { return strings.TrimPrefix(i.base, "http://") }

type account struct{ email, password string }

func newAccount() account {
	return account{strings.ToLower(rand.Text()) + "@example.com", rand.Text()}
}

// to is the form that signs a up or logs it in, sent to path.
func (a account) to(path string) request {
	return request{
		method: http.MethodPost,
		path:   path,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		body:   url.Values{"email": {a.email}, "password": {a.password}}.Encode(),
	}
}

// No connection is kept: a restarted server must not be met on an old one.
var client = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// freeAddress finds a port on the loopback. Somebody else may take it before
// the server does; then the server says so and the run fails.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err) // addr is from freeAddress
	}
	return port
}

func (i *instance) signUp(ctx context.Context, a account) error {
	_, err := i.do(ctx, a.to("/signup"))
	return err
}

func (i *instance) logIn(ctx context.Context, a account) (token string, err error) {
	body, err := i.do(ctx, a.to("/login"))
	if err != nil {
		return "", err
	}
	var answer struct{ Token string }
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("%s: login: %w", i.label, err)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("%s: login: no token in the answer", i.label)
	}
	return answer.Token, nil
}

// do sends r once; any answer but 200 is an error.
func (i *instance) do(ctx context.Context, r request) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, i.base+r.path, strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header = r.header.Clone()
	req.Host = r.header.Get("Host")
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.label, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.label, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %s answered %s: %s", i.label, r.method, r.path, res.Status, bytes.TrimSpace(body))
	}
	return body, nil
}

// waitReady polls every millisecond until the server answers as one that is up.
func (i *instance) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second,
		fmt.Errorf("%s: no %d from %s in 30 s", i.label, i.readyStatus, i.readyPath))
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if status, err := i.status(ctx); err == nil && status == i.readyStatus {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", context.Cause(ctx), tail(i.stderr))
		case <-i.done:
			return i.ended()
		case <-tick.C:
		}
	}
}

func (i *instance) status(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.base+i.readyPath, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
