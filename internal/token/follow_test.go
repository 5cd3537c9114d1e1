package token_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

// counted counts the readings of the keys, and fails them when told to.
type counted struct {
	store.Keys
	reads atomic.Int64
	fail  atomic.Bool
	slow  atomic.Int64 // nanoseconds
}

func (c *counted) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	c.reads.Add(1)
	if c.fail.Load() {
		return nil, errors.New("the database is away")
	}
	if d := c.slow.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	return c.Keys.SigningKeys(ctx)
}

// forge returns a token with an invented kid.
func forge(t testing.TB, kid string) string {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: kid})
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Sign(key, "at+jwt", jwt.Claims{Issuer: issuer, Audience: []string{"https://api.example"}, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestInventedKeysAreBounded(t *testing.T) {
	t.Parallel()
	st := &counted{Keys: newStore(t)}
	s := open(t, st, config(t, time.Now))
	texts := make([]string, 50)
	for i := range texts {
		texts[i] = forge(t, fmt.Sprint("invented-", i))
	}
	before, begin := st.reads.Load(), time.Now()
	var wg sync.WaitGroup
	for _, text := range texts {
		wg.Go(func() {
			for range 10 {
				if _, err := s.Verify(t.Context(), text); !errors.Is(err, jwt.ErrUnknownKey) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	wg.Wait()
	most := int64(time.Since(begin)/(50*time.Millisecond)) + 2
	if n := st.reads.Load() - before; n > most {
		t.Errorf("%d tokens cost %d readings in %v", 10*len(texts), n, time.Since(begin))
	}
}

// A key that was written before a token came is found, even if a reading that began earlier did not see it.
func TestUnknownKeyWaitsForALaterReading(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	other := open(t, openStore(t, path), config(t, time.Now))
	st := &counted{Keys: openStore(t, path)}
	s := open(t, st, config(t, time.Now))
	st.slow.Store(int64(20 * time.Millisecond))
	for range 10 {
		stale := make(chan struct{})
		go func() { // has a reading under way
			defer close(stale)
			_, _ = s.Verify(t.Context(), forge(t, "invented"))
		}()
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		if _, err := other.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		good(t, s, mint(t, other))
		<-stale
	}
}

func TestUnknownKeyObeysItsContext(t *testing.T) {
	t.Parallel()
	st := &counted{Keys: newStore(t)}
	s := open(t, st, config(t, time.Now))
	st.slow.Store(int64(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := s.Verify(ctx, forge(t, "x")); !errors.Is(err, jwt.ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 900*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

func TestTheLastGoodKeysStay(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	st := &counted{Keys: newStore(t)}
	cfg := config(t, time.Now)
	cfg.Log = logTo(&log)
	s := open(t, st, cfg)
	run(t, s)
	st.fail.Store(true)
	if _, err := s.Verify(t.Context(), forge(t, "x")); !errors.Is(err, jwt.ErrKeysUnavailable) {
		t.Errorf("without a database nobody knows: got %v", err)
	}
	good(t, s, mint(t, s))
	time.Sleep(1100 * time.Millisecond)
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors in the log:\n%s", n, log.String())
	}
	st.fail.Store(false)

	// A key that does not open is left alone, and the one before goes on signing; a retired one is gone all the same.
	first := keyOf(t, mint(t, s))
	other := open(t, st.Keys, config(t, time.Now))
	second, err := other.Rotate(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second key signs", func() bool { return keyOf(t, mint(t, s)) == second.ID })
	strange := store.SigningKey{ID: "strange", Algorithm: "ES256", Private: []byte("in the clear"), CreatedAt: time.Now(), SignsAt: time.Now()}
	if err := st.AddKey(t.Context(), strange, second.ID); err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteKey(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first key is gone", func() bool { return states(s) == "signs" })
	if keyOf(t, mint(t, s)) != second.ID || !strings.Contains(log.String(), "signing key strange: seal: not sealed") {
		t.Errorf("%s signs; the log:\n%s", keyOf(t, mint(t, s)), log.String())
	}
	if _, err := token.Open(t.Context(), st.Keys, config(t, time.Now)); err == nil || !strings.Contains(err.Error(), "strange") {
		t.Errorf("a start with a key that does not open: %v", err)
	}
}

// hooked has something happen before the second reading of the keys from now on.
type hooked struct {
	store.Keys
	mu     sync.Mutex
	reads  int
	before func()
}

func (h *hooked) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	h.mu.Lock()
	h.reads++
	before := h.before
	if h.reads != 2 {
		before = nil
	}
	h.mu.Unlock()
	if before != nil {
		before()
	}
	return h.Keys.SigningKeys(ctx)
}

// Of two nodes one rotates on schedule, even if the other has decided to before it could see that.
func TestScheduleIsDecidedOnce(t *testing.T) {
	t.Parallel()
	c, path := newClock(), filepath.Join(t.TempDir(), "c.db")
	cfg := config(t, c.Now)
	cfg.RotateEvery = 2 * time.Hour
	faster := open(t, openStore(t, path), cfg)
	keys := &hooked{Keys: openStore(t, path)}
	s := open(t, keys, cfg)
	c.Advance(cfg.RotateEvery)
	keys.mu.Lock()
	keys.reads, keys.before = 0, func() {
		if _, err := faster.Rotate(t.Context(), false); err != nil {
			t.Error(err)
		}
	}
	keys.mu.Unlock()
	run(t, s)
	eventually(t, "a new key is published", func() bool { return strings.HasPrefix(states(s), "pending") })
	time.Sleep(600 * time.Millisecond)
	if got := states(s); got != "pending signs" {
		t.Errorf("both have rotated: %s", got)
	}
}
