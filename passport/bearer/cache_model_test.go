package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// modelWorld is all that an answer to a token depends on. Both strategies of the model see the same one.
type modelWorld struct {
	now      time.Time
	down     bool                // the database
	keys     map[string]*jwt.Key // by id, those that verify
	all      []*jwt.Key
	ended    map[string]bool // sessions
	disabled map[string]bool // subjects
}

var modelStart = time.Unix(1_800_000_000, 0)

func newModelWorld(tb testing.TB) *modelWorld {
	tb.Helper()
	w := &modelWorld{now: modelStart, keys: map[string]*jwt.Key{}, ended: map[string]bool{}, disabled: map[string]bool{}}
	for i := range 3 {
		k, err := jwt.NewSecretKey(jwt.HS256, []byte(fmt.Sprintf("%032d", i)), jwt.KeyOptions{ID: fmt.Sprint("k", i)})
		if err != nil {
			tb.Fatal(err)
		}
		w.all = append(w.all, k)
		w.keys[k.ID()] = k
	}
	return w
}

// Keys implements jwt.KeySet.
func (w *modelWorld) Keys(_ context.Context, h jwt.Header) ([]*jwt.Key, error) {
	if k := w.keys[h.KeyID]; k != nil {
		return []*jwt.Key{k}, nil
	}
	return nil, nil
}

func (w *modelWorld) load(_ context.Context, tok *jwt.Token) (*user, bool, error) {
	if w.down && tok.Subject == "u0" { // who is looked up each time
		return nil, false, errors.New("the database is down")
	}
	return &user{tok.Subject}, w.welcome(tok), nil
}

func (w *modelWorld) welcome(tok *jwt.Token) bool {
	sid, _ := tok.String("sid")
	return !w.ended[sid] && !w.disabled[tok.Subject]
}

func (w *modelWorld) live(tok *jwt.Token, u *user) bool {
	return u.ID != "u0" && w.keys[tok.Header.KeyID] == tok.Key && w.welcome(tok)
}

// tokens are of all kinds: by different keys, of different people and sessions, with all sorts of times.
func (w *modelWorld) tokens(tb testing.TB) (tokens []string) {
	tb.Helper()
	after := func(seconds int) time.Time { return modelStart.Add(time.Duration(seconds) * time.Second) }
	for i := range 32 {
		c := jwt.Claims{
			Issuer: issuer, Audience: []string{audience}, Subject: fmt.Sprint("u", i%5), IssuedAt: after(i%7 - 3), ExpiresAt: after(5 + i*i),
			Extra: map[string]any{"sid": fmt.Sprint("s", i%11), "n": i},
		}
		if i%4 == 1 {
			c.NotBefore = after(i % 30)
		}
		s, err := jwt.Sign(w.all[i%3], "JWT", c)
		if err != nil {
			tb.Fatal(err)
		}
		tokens = append(tokens, s)
	}
	return append(tokens, tokens[0]+"A", "junk", tokens[1][:len(tokens[1])-8])
}

// step does what two bytes say, and returns the token to send, if any.
func (w *modelWorld) step(op, arg byte, tokens []string) string {
	flip := func(set map[string]bool, name string) { set[name] = !set[name] }
	switch op % 16 {
	case 0:
		w.now = w.now.Add(time.Duration(arg%16) * time.Second)
	case 1:
		w.now = w.now.Add(time.Duration(arg) * 10 * time.Millisecond)
	case 2:
		w.now = w.now.Add(-time.Duration(arg) * 200 * time.Millisecond)
	case 3:
		flip(w.ended, fmt.Sprint("s", arg%11))
	case 4:
		flip(w.disabled, fmt.Sprint("u", arg%5))
	case 5:
		k := w.all[arg%3]
		if w.keys[k.ID()] != nil {
			delete(w.keys, k.ID())
		} else {
			w.keys[k.ID()] = k
		}
	case 6: // another key under the same id
		k, err := jwt.NewSecretKey(jwt.HS256, []byte(fmt.Sprintf("%031dx", arg)), jwt.KeyOptions{ID: fmt.Sprint("k", arg%3)})
		if err != nil {
			panic(err)
		}
		w.keys[k.ID()] = k
	case 7:
		w.down = !w.down
	default:
		return tokens[int(arg)%len(tokens)]
	}
	return ""
}

// runModel has a strategy with a cache and one without answer the same requests in a world that changes between them, and
// fails unless they always say the same.
func runModel(tb testing.TB, program []byte) bearer.CacheStats {
	tb.Helper()
	w := newModelWorld(tb)
	now := func() time.Time { return w.now }
	x := jwt.Expect{Issuer: issuer, Audience: audience, Leeway: 3 * time.Second, Now: now}
	cfg := bearer.CacheConfig[*user]{Live: w.live, Now: now, Entries: 8, PerSubject: 3, MaxAge: 20 * time.Second}
	if len(program) > 0 { // the first byte configures
		if program[0]&1 != 0 {
			x.MaxAge = 25 * time.Second
		}
		if program[0]&2 != 0 {
			cfg.Entries, cfg.PerSubject = 64, -1
		}
		if program[0]&4 != 0 {
			cfg.Bytes = 26 << 10
		}
		program = program[1:]
	}
	v, err := jwt.NewVerifier(w, x)
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := bearer.NewStrategy(v, w.load, bearer.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	cache, err := bearer.NewCache(v, w.load, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	cached, err := bearer.NewCached(cache, bearer.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tokens := w.tokens(tb)
	for i := 0; i+1 < len(program); i += 2 {
		tok := w.step(program[i], program[i+1], tokens)
		if tok == "" {
			continue
		}
		want := answer(plain, tok)
		if u, t, ok := cached.Known(with(tok)); ok && success(u, t, tok) != want {
			tb.Fatalf("step %d: %s is known, %s without the cache", i/2, success(u, t, tok), want)
		}
		if got := answer(cached, tok); got != want {
			tb.Fatalf("step %d: %s with the cache, %s without", i/2, got, want)
		}
		if s := cache.Stats(); s.Bytes < 0 || s.Entries < 0 || s.Entries > int64(cfg.Entries) || cfg.Bytes > 0 && s.Bytes > cfg.Bytes {
			tb.Fatalf("step %d: %+v", i/2, s)
		}
	}
	return cache.Stats()
}

// answer is all that can be seen of an answer.
func answer(s passport.Strategy[*user], tok string) string {
	o, err := s.Authenticate(with(tok))
	if err != nil {
		return "error: " + err.Error()
	}
	if f, ok := o.Failure(); ok {
		return fmt.Sprintf("%s %s %v", f.Problem.Code, f.Problem.Detail, f.Problem.Challenges)
	}
	u, _ := o.User()
	t, _ := o.Info().(*jwt.Token)
	return success(u, t, tok)
}

func success(u *user, t *jwt.Token, tok string) string {
	return fmt.Sprintf("succeeded %s %v %s", u.ID, t.Compact() == tok, t.Payload())
}

func TestCacheModel(t *testing.T) {
	t.Parallel()
	var sum bearer.CacheStats
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(7, seed))
		program := make([]byte, 801)
		for i := range program {
			program[i] = byte(random.UintN(256))
		}
		for i := 1; i < len(program); i += 2 { // mostly requests, and most of them of few tokens
			if random.IntN(10) > 0 {
				program[i], program[i+1] = 8, byte(random.ExpFloat64()*4)
			}
		}
		s := runModel(t, program)
		sum.Hits += s.Hits
		sum.Misses += s.Misses
		sum.Refused += s.Refused
	}
	if sum.Hits < 3000 || sum.Misses < 10_000 || sum.Refused == 0 { // else it has shown nothing
		t.Errorf("%+v", sum)
	}
	t.Logf("%+v", sum)
}

func FuzzCacheModel(f *testing.F) {
	f.Add([]byte{0, 8, 1, 8, 1, 8, 1, 3, 1, 8, 1, 3, 1, 8, 1})
	f.Add([]byte{1, 8, 4, 0, 30, 8, 4, 2, 100, 8, 4, 5, 1, 8, 4, 6, 1, 8, 4, 6, 4, 8, 4})
	f.Add([]byte{7, 8, 0, 7, 0, 8, 0, 8, 5, 4, 0, 8, 5, 8, 10, 8, 15})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 2000 {
			return
		}
		runModel(t, program)
	})
}
