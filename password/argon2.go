package password

import (
	"cmp"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Bounds of argon2id, of a configuration and of a stored string alike. They let
// through both recommendations of RFC 9106 that fit a server (64 MiB, t=3, p=4)
// and libsodium's "moderate" (256 MiB, t=3), and stop a string that came with an
// import from taking the machine.
const (
	argon2MaxMemoryKiB = 256 << 10
	argon2MaxTime      = 64
	argon2MaxThreads   = 16
	argon2MaxWorkKiB   = 1 << 20 // memory times passes
)

// Argon2Params are the parameters of argon2id (RFC 9106, section 3.1). In a
// [Config] a zero field has its default, together the least that OWASP's
// password storage cheat sheet recommends: 19 MiB, two passes, one thread.
type Argon2Params struct {
	// MemoryKiB is the memory in KiB, at least 8 for each thread and at most
	// 262144 (256 MiB). Zero means 19456 (19 MiB).
	MemoryKiB uint32
	// Time is the number of passes over the memory, at most 64; MemoryKiB
	// times Time is at most 1 GiB. Zero means 2.
	Time uint32
	// Threads is the degree of parallelism, at most 16. Zero means 1.
	Threads uint8
}

func (p Argon2Params) withDefaults() Argon2Params {
	return Argon2Params{
		MemoryKiB: cmp.Or(p.MemoryKiB, 19<<10),
		Time:      cmp.Or(p.Time, 2),
		Threads:   cmp.Or(p.Threads, 1),
	}
}

func (p Argon2Params) check() error {
	switch {
	case p.Threads < 1 || p.Threads > argon2MaxThreads:
		return threadsError(uint64(p.Threads))
	case p.MemoryKiB < 8*uint32(p.Threads) || p.MemoryKiB > argon2MaxMemoryKiB:
		return fmt.Errorf("%w: argon2id memory of %d KiB is not within %d to %d",
			ErrParameters, p.MemoryKiB, 8*uint32(p.Threads), argon2MaxMemoryKiB)
	case p.Time < 1 || p.Time > argon2MaxTime:
		return fmt.Errorf("%w: argon2id time %d is not within 1 to %d", ErrParameters, p.Time, argon2MaxTime)
	case uint64(p.MemoryKiB)*uint64(p.Time) > argon2MaxWorkKiB:
		return fmt.Errorf("%w: argon2id memory of %d KiB times time %d is over %d KiB",
			ErrParameters, p.MemoryKiB, p.Time, argon2MaxWorkKiB)
	}
	return nil
}

func threadsError(n uint64) error {
	return fmt.Errorf("%w: argon2id threads %d is not within 1 to %d", ErrParameters, n, argon2MaxThreads)
}

// argon2id returns n bytes of argon2id.
func argon2id(password, salt []byte, p Argon2Params, n int) []byte {
	return argon2.IDKey(password, salt, p.Time, p.MemoryKiB, p.Threads, uint32(n))
}
