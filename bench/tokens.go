package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// newTokensRate is more than any server here answers in a second.
const newTokensRate = 60_000

// newTokens is a load in which no token comes twice: as many users as requests,
// each with a good token of its own, signed here under the shared secret.
func (b *bench) newTokens(i *instance, secret string) func(context.Context, time.Duration) (wrkLoad, error) {
	run := 0
	return func(ctx context.Context, d time.Duration) (wrkLoad, error) {
		real, err := i.logIn(ctx, i.account)
		if err != nil {
			return wrkLoad{}, err
		}
		run++
		count := int(d.Seconds() * newTokensRate)
		path := filepath.Join(b.dir, "tokens")
		if err := writeTokens(path, real, secret, run, count); err != nil {
			return wrkLoad{}, err
		}
		l := profileLoad
		l.prepare = func(context.Context, *instance) (request, error) {
			r := profileRequest(real)
			r.tokens, r.tokenCount = path, count
			return r, nil
		}
		return l, nil
	}
}

// writeTokens writes count tokens, one a line: each is real but for its user and its
// own id. Two runs have none in common.
func writeTokens(path, real, secret string, run, count int) (err error) {
	header, rest, _ := strings.Cut(real, ".")
	payload, _, _ := strings.Cut(rest, ".")
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return err
	}
	var ids struct{ Sub, Jti string }
	if err := json.Unmarshal(claims, &ids); err != nil {
		return err
	}
	if len(ids.Sub) < 24 || len(ids.Jti) < 24 {
		return errors.New("the token has no sub or jti as this server makes them")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	mac := hmac.New(sha256.New, []byte(secret))
	for n := range count {
		tail := fmt.Sprintf("%04x%08x", run, n)
		signed := header + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.NewReplacer(
			ids.Sub, ids.Sub[:len(ids.Sub)-len(tail)]+tail, ids.Jti, ids.Jti[:len(ids.Jti)-len(tail)]+tail).Replace(string(claims))))
		mac.Reset()
		mac.Write([]byte(signed))
		if _, err := out.WriteString(signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) + "\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}
