package main

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// Whoever copies the database has no token and no key from it, while the server runs or after it.
func TestDatabaseFilesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	all := nodes(t, 1)
	n := all.nodes[0]
	all.countersign(t, "key", "rotate", "--now")
	secrets := map[string][]byte{}
	a := n.logIn(t, "mike@example.com")
	tokens := []string{a.Refresh}
	for range 5 {
		next, err := n.post("/token/refresh", "", "refresh_token", a.Refresh)
		if err != nil || next.Status != http.StatusOK {
			t.Fatal(next, err)
		}
		a = next
		tokens = append(tokens, a.Refresh)
	}
	for _, token := range tokens {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "csr_"))
		if err != nil {
			t.Fatal(err)
		}
		secrets["refresh token "+token[len(token)-4:]] = []byte(token[4:])
		secrets["secret of refresh token "+token[len(token)-4:]] = raw[20:52]
	}
	// A private key in PKCS #8 has its public half in it, and the names of its kind and curve.
	var set []*jwt.Key
	for deadline := time.Now().Add(5 * time.Second); len(set) < 2; time.Sleep(50 * time.Millisecond) {
		_, keys := verifierOf(t, n, false)
		var err error
		if set, err = keys.Keys(t.Context(), jwt.Header{}); err != nil || time.Now().After(deadline) {
			t.Fatal(set, err)
		}
	}
	for _, key := range set {
		point, err := key.PublicKey().(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		secrets["private key "+key.ID()] = point[1:33]
	}
	secrets["a private key of P-256"] = []byte("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")

	search := func(when string) {
		seen, control := 0, false
		files, err := filepath.Glob(filepath.Join(all.data, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(file) == "master.key" {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			control = control || bytes.Contains(data, []byte("mike@example.com"))
			for what, secret := range secrets {
				if bytes.Contains(data, secret) {
					t.Errorf("%s: %s holds %s", when, file, what)
				}
			}
		}
		if seen == 0 || !control {
			t.Errorf("%s: the search does not find what is there, in %d files", when, seen)
		}
	}
	search("while it runs")
	all.stop(t)
	search("after it")
}
