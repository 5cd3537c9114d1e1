package password_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/password"
)

func Example() {
	ctx := context.Background()
	h, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}
	encoded, err := h.Hash(ctx, "correct horse battery staple")
	if err != nil {
		panic(err)
	}
	fmt.Println(encoded[:7], len(encoded))
	fmt.Println(h.Verify(ctx, encoded, "correct horse battery staple"))
	fmt.Println(h.Verify(ctx, encoded, "Tr0ub4dor&3"))
	// Output:
	// $2b$10$ 60
	// true <nil>
	// false <nil>
}

// A login, with the hash renewed where the settings have changed since it was
// made, and equal work where there is no user.
func ExampleHasher_NeedsRehash() {
	type user struct {
		hash     string
		imported bool // the hash came with a table of other software
	}
	ctx := context.Background()
	h, err := password.New(password.Config{BcryptCost: 5}) // weak: leave it out
	if err != nil {
		panic(err)
	}
	users := map[string]*user{
		// Made by Node's bcrypt.
		"ann": {hash: "$2b$04$qUdudLtwqbe8gJit.Rok6u76OmCDd6gMFiKaMT69de4H1YF6cZt/W", imported: true},
	}
	login := func(name, guess string) (bool, error) {
		u := users[name]
		if u == nil {
			return false, h.VerifyAbsent(ctx, guess)
		}
		verify := h.Verify
		if u.imported {
			verify = h.VerifyImported
		}
		if ok, err := verify(ctx, u.hash, guess); !ok || err != nil {
			return false, err
		}
		if u.imported || h.NeedsRehash(u.hash) {
			if encoded, err := h.Hash(ctx, guess); err == nil {
				u.hash, u.imported = encoded, false
			}
		}
		return true, nil
	}
	fmt.Println(login("bob", "correct horse battery staple"))
	fmt.Println(login("ann", "correct horse battery staple"))
	fmt.Println(users["ann"].hash[:7], h.NeedsRehash(users["ann"].hash))
	// Output:
	// false <nil>
	// true <nil>
	// $2b$05$ false
}

// A server that serves more than logins bounds how long they may wait, and lets its clients take turns.
func ExamplePool() {
	ctx := context.Background()
	pool, err := password.NewPool(password.PoolConfig{MaxWait: 2 * time.Second})
	if err != nil {
		panic(err)
	}
	h, err := password.New(password.Config{Pool: pool, BcryptCost: 5}) // weak: leave it out
	if err != nil {
		panic(err)
	}
	encoded, err := h.Hash(ctx, "correct horse battery staple")
	if err != nil {
		panic(err)
	}
	claimed := h.For(password.Claim{Client: "192.0.2.1", Subject: "ann@example.com"})
	ok, err := claimed.Verify(ctx, encoded, "correct horse battery staple")
	var overload *password.OverloadError
	switch {
	case errors.As(err, &overload):
		fmt.Println("503, Retry-After:", overload.RetryAfter)
	case err != nil:
		fmt.Println("500", err)
	default:
		fmt.Println(ok)
	}
	// Output: true
}

func ExampleInspect() {
	info, err := password.Inspect("$2b$12$RxEvMSIEJe/ADwzeG643EuxzEsvdGu4FgebecmBdp2s5K8mVoq13G")
	fmt.Println(info.Format, info.Details[1], info.Verifiable, err)
	fmt.Println(info.Strength)
	// Output:
	// bcrypt {cost 12} true <nil>
	// stronger than the default: guessing is about 4 times as slow
}

func ExampleMeasurement_Cost() {
	m := password.Measurement{Threads: 2, Alone: 60 * time.Millisecond, PerSecond: 100} // as Measure returns it
	fmt.Println(m.Cost(250*time.Millisecond, 10))
	// Output: 12 true
}

func ExampleCheck() {
	err := password.Check("abc\x00abc")
	fmt.Println(err, errors.Is(err, password.ErrNUL))
	// Output: password: contains NUL true
}
