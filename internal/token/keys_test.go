package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range token.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			st := newStore(t)
			cfg := config(t, time.Now)
			cfg.Algorithm = alg
			s := open(t, st, cfg)
			text := mint(t, s)
			tok := good(t, s, text)
			if tok.Key.Algorithm() != alg || tok.Header.Type != "at+jwt" || tok.Header.KeyID == "" {
				t.Errorf("header %+v, key %v", tok.Header, tok.Key)
			}
			good(t, open(t, st, cfg), text) // another node has the same key
			records, err := st.SigningKeys(t.Context())
			if err != nil || len(records) != 1 {
				t.Fatal(records, err)
			}
			if s := tok.Key.Secret(); s != nil && bytes.Contains(records[0].Private, s) {
				t.Error("the secret lies in the store")
			}
			if der, err := tok.Key.MarshalPKCS8(); err == nil && bytes.Contains(records[0].Private, der[len(der)/2:]) {
				t.Error("the private key lies in the store")
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	for _, tt := range []struct {
		change func(*token.Config)
		want   string
	}{
		{func(c *token.Config) { c.Box = nil }, "box"},
		{func(c *token.Config) { c.Algorithm = "ES512" }, "ES512"},
		{func(c *token.Config) { c.Algorithm = "none" }, "none"},
		{func(c *token.Config) { c.Secret, c.Algorithm = secret, jwt.ES256 }, "HS256 alone"},
		{func(c *token.Config) { c.Secret = []byte("short") }, "jwt.secret"},
		{func(c *token.Config) { c.TTL = 0 }, "live"},
		{func(c *token.Config) { c.RotateEvery = 26 * time.Minute }, "longer"},
		{func(c *token.Config) { c.PublishAhead = -1 }, "negative"},
		{func(c *token.Config) { c.Issuer = "" }, "Issuer"},
	} {
		cfg := config(t, time.Now)
		tt.change(&cfg)
		if _, err := token.Open(t.Context(), st, cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// One who can write to the database cannot have one key in another's place, nor under another algorithm.
func TestSwappedKeysAreRefused(t *testing.T) {
	t.Parallel()
	swaps := map[string]func(a, b *store.SigningKey){
		"private parts": func(a, b *store.SigningKey) { a.Private, b.Private = b.Private, a.Private },
		"ids":           func(a, b *store.SigningKey) { a.ID, b.ID = b.ID, a.ID },
		"an algorithm":  func(a, _ *store.SigningKey) { a.Algorithm = "HS256" },
		"a clear key":   func(a, _ *store.SigningKey) { a.Private = bytes.Repeat([]byte{1}, 32) },
		"a bit":         func(a, _ *store.SigningKey) { a.Private[len(a.Private)-1] ^= 1 },
	}
	for name, swap := range swaps {
		from, to := newStore(t), newStore(t)
		s := open(t, from, config(t, time.Now))
		if _, err := s.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		keys, err := from.SigningKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		swap(&keys[0], &keys[1])
		if err := errors.Join(to.AddKey(t.Context(), keys[1], ""), to.AddKey(t.Context(), keys[0], keys[1].ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := token.Open(t.Context(), to, config(t, time.Now)); !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrNotSealed) {
			t.Errorf("%s swapped: %v", name, err)
		}
	}
}

func TestOtherMasterKey(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	open(t, st, config(t, time.Now))
	cfg := config(t, time.Now)
	cfg.Box = box(t, 2)
	if _, err := token.Open(t.Context(), st, cfg); !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("got %v", err)
	}
}

func TestOneOfManyRotates(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	nodes := make([]*token.Service, 8)
	for i := range nodes {
		nodes[i] = open(t, st, config(t, time.Now))
	}
	var wg sync.WaitGroup
	errs := make([]error, len(nodes))
	start := make(chan struct{})
	for i, n := range nodes {
		wg.Go(func() {
			<-start
			_, errs[i] = n.Rotate(t.Context(), true)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
	}
	keys, err := st.SigningKeys(t.Context())
	if err != nil || won < 1 || len(keys) != won+1 {
		t.Errorf("%d rotated, %d keys, %v", won, len(keys), err)
	}
	for _, n := range nodes { // they may have come one after another, but all end with the same key
		eventually(t, "all sign with the newest", func() bool {
			readKeys(t, n)
			return keyOf(t, mint(t, n)) == keys[0].ID
		})
	}
}

func TestRetire(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	s, other := open(t, st, config(t, time.Now)), open(t, st, config(t, time.Now))
	run(t, other)
	old := mint(t, s)
	first := s.Keys()[0].ID
	if err := s.Retire(t.Context(), first); !errors.Is(err, token.ErrSigns) {
		t.Errorf("the key that signs: %v", err)
	}
	if _, err := s.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	tok := good(t, other, old)
	if err := s.Retire(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), old); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("here: %v", err)
	}
	eventually(t, "the other node refuses it", func() bool {
		_, err := other.Verify(t.Context(), old)
		return errors.Is(err, jwt.ErrUnknownKey) && !other.Live(tok)
	})
	if err := s.Retire(t.Context(), first); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

// A retired key is gone everywhere, even if a key of the same id is there before a node has looked.
func TestRetiredIDComesBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, other := open(t, openStore(t, path), config(t, time.Now)), open(t, openStore(t, path), config(t, time.Now))
	stolen := mint(t, s)
	tok := good(t, s, stolen)
	id := keyOf(t, stolen)
	fresh, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := other.Rotate(t.Context(), true)
	err2 := other.Retire(t.Context(), id)
	_, err3 := other.Import(t.Context(), fresh, true)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	readKeys(t, s)
	if _, err := s.Verify(t.Context(), stolen); !errors.Is(err, jwt.ErrSignature) || s.Live(tok) {
		t.Errorf("a token of the retired key: %v, live %v", err, s.Live(tok))
	}
	good(t, s, mint(t, other))
	good(t, other, mint(t, s))
}

// A key that is only sealed anew is the same one to caches, under whichever master key that was.
func TestResealedKeyIsTheSame(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	s := open(t, st, config(t, time.Now))
	tok := good(t, s, mint(t, s))
	both, err := seal.New(bytes.Repeat([]byte{2}, seal.Size), bytes.Repeat([]byte{1}, seal.Size))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*seal.Box{"the master key at hand": box(t, 1), "one that is not": both} {
		records, err := st.SigningKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kind, id := token.SealedAs(records[0])
		private, err := both.Open(kind, id, records[0].Private)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.ReplaceKey(t.Context(), records[0].ID, records[0].Private, b.Seal(kind, id, private)); err != nil {
			t.Fatal(err)
		}
		readKeys(t, s)
		if !s.Live(tok) || keyOf(t, mint(t, s)) != records[0].ID {
			t.Errorf("resealed under %s, the key in memory is another", name)
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	s := open(t, st, config(t, time.Now))
	generate := func(alg jwt.Algorithm, id string) *jwt.Key {
		k, err := jwt.GenerateKey(alg, jwt.KeyOptions{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	named, plain := generate(jwt.ES384, "from-elsewhere"), generate(jwt.EdDSA, "")
	thumbprint, err := jwk.Thumbprint(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key  *jwt.Key
		id   string
		want string
	}{
		{named, "from-elsewhere", ""},
		{plain, thumbprint, ""},
		{generate(jwt.HS256, ""), "", ""},
		{named, "", store.ErrExists.Error()},
		{generate(jwt.ES256, "x").Public(), "", "public key"},
		{generate(jwt.ES512, "x"), "", "must be one of"},
	} {
		k, err := s.Import(t.Context(), tt.key, true)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v: got %v, want %q", tt.key, err, tt.want)
			}
			continue
		}
		if err != nil || tt.id != "" && k.ID != tt.id || k.ID == "" {
			t.Fatalf("%v: %+v, %v", tt.key, k, err)
		}
		if text := mint(t, s); keyOf(t, text) != k.ID || good(t, open(t, st, config(t, time.Now)), text) == nil {
			t.Errorf("%s does not sign", k.ID)
		}
	}
}

func TestTooManyKeys(t *testing.T) {
	t.Parallel()
	s := open(t, newStore(t), config(t, time.Now))
	var err error
	for i := 0; err == nil && i < 100; i++ {
		var k *jwt.Key
		if k, err = jwt.GenerateKey(jwt.EdDSA, jwt.KeyOptions{ID: fmt.Sprint(i)}); err == nil {
			_, err = s.Import(t.Context(), k, true)
		}
	}
	if !errors.Is(err, token.ErrTooMany) {
		t.Errorf("got %v", err)
	}
	good(t, s, mint(t, s))
}

func TestSharedSecretHasNoRing(t *testing.T) {
	t.Parallel()
	st := newStore(t)
	cfg := token.Config{Issuer: issuer, Audience: "a", TTL: time.Minute, Secret: secret}
	s := open(t, st, cfg)
	tok := good(t, s, mint(t, s))
	if tok.Header.Type != "JWT" || tok.Header.KeyID != "" || !s.Live(tok) || s.Keys() != nil {
		t.Errorf("%+v", tok.Header)
	}
	_, rotateErr := s.Rotate(t.Context(), true)
	_, importErr := s.Import(t.Context(), tok.Key, true)
	for _, err := range []error{rotateErr, importErr, s.Retire(t.Context(), "x")} {
		if !errors.Is(err, token.ErrShared) {
			t.Errorf("got %v", err)
		}
	}
	if keys, err := st.SigningKeys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("%d keys in the store, %v", len(keys), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	s.Run(ctx) // returns
	if other := good(t, open(t, st, cfg), mint(t, s)); s.Live(other) {
		t.Error("a token that another service verified is live")
	}
}
