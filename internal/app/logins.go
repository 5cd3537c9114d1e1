package app

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/password"
)

// openLogins makes what leads to a session: the throttles, the flow, and the services of the login methods.
func (a *App) openLogins(keys func(purpose string) []byte) (err error) {
	limits := ratelimit.Config{Counters: a.Store, Key: keys("throttle"), Now: a.now, Disabled: a.Config.InsecureNoLimits}
	if a.Logins, err = ratelimit.NewLogins(limits); err != nil {
		return err
	}
	signups, err := ratelimit.NewSignups(limits)
	if err != nil {
		return err
	}
	devices, err := ratelimit.NewDevices(keys("device"))
	if err != nil {
		return err
	}
	spray, err := ratelimit.NewSpray(ratelimit.SprayConfig{Now: a.now})
	if err != nil {
		return err
	}
	hasher, err := a.openHasher()
	if err != nil {
		return err
	}
	policy, err := withpassword.NewPolicy(withpassword.PolicyConfig{
		MinLength: a.Config.Password.MinLength, ServiceName: a.Config.ServiceName, Issuer: a.issuer,
		BlocklistFile: a.Config.Password.BlocklistFile,
	})
	if err != nil {
		return err
	}
	flow := login.NewFlow(login.Config{
		Store: a.Store, Sessions: a.Sessions, Logins: a.Logins, Devices: devices, Spray: spray, Audit: a.Audit,
		SubjectKey: keys("subject"), Log: a.log, Now: a.now,
	})
	a.Passwords = withpassword.New(withpassword.Config{
		Users: a.Store, Hasher: hasher, Flow: flow, Signups: signups, Audit: a.Audit, Log: a.log, Now: a.now,
		Policy: policy, HideTaken: a.Config.SignupHideTaken,
	})
	return nil
}

// openHasher returns the hasher of passwords by claim. Without limits, nobody has to take turns.
func (a *App) openHasher() (func(password.Claim) withpassword.Hasher, error) {
	var limits password.PoolConfig
	if a.Config.InsecureNoLimits {
		limits.MaxWait, limits.MaxQueue = writeTimeout, math.MaxInt32
	}
	pool, err := password.NewPool(limits)
	if err != nil {
		return nil, err
	}
	hasher, err := password.New(password.Config{
		Algorithm: password.Algorithm(a.Config.Password.Algorithm), BcryptCost: a.Config.Password.BcryptCost, Pool: pool,
	})
	if err != nil {
		return nil, err
	}
	return func(claim password.Claim) withpassword.Hasher {
		if a.Config.InsecureNoLimits {
			return hasher
		}
		return hasher.For(claim)
	}, nil
}

// keyBytes is the size of the root key and of those that derive from it.
const keyBytes = 32

// openKeys returns the keys that all nodes on one database share, by purpose: each derives (RFC 5869) from one
// random key that lies sealed in the store.
func (a *App) openKeys(ctx context.Context) (func(purpose string) []byte, error) {
	fresh := make([]byte, keyBytes)
	_, _ = rand.Read(fresh) // never fails
	sealed, err := a.Store.FirstSecret(ctx, rootName, a.box.Seal(secretKind, rootName, fresh))
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	root, err := a.box.Open(secretKind, rootName, sealed)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	if len(root) != keyBytes {
		return nil, fmt.Errorf("root key: has %d bytes", len(root))
	}
	return func(purpose string) []byte {
		key, err := hkdf.Expand(sha256.New, root, "countersign "+purpose, keyBytes)
		if err != nil { // the length is one that it gives
			panic(err)
		}
		return key
	}, nil
}
