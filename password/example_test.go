package password_test

import (
	"context"
	"errors"
	"fmt"

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

func ExampleCheck() {
	err := password.Check("abc\x00abc")
	fmt.Println(err, errors.Is(err, password.ErrNUL))
	// Output: password: contains NUL true
}
