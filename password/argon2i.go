package password

import (
	"strings"

	"golang.org/x/crypto/argon2"
)

// parseArgon2i takes argon2i (RFC 9106) as a PHC string, of version 1.3. Its
// grammar and bounds are those of argon2id.
func parseArgon2i(s string) (foreign, error) {
	return newArgon2("argon2i", strings.TrimPrefix(s, "$argon2i$"), argon2.Key)
}

// parseDjangoArgon2 takes argon2$argon2id$v=19$… and argon2$argon2i$v=19$…, which
// are PHC strings under another name
// (django.contrib.auth.hashers.Argon2PasswordHasher).
func parseDjangoArgon2(s string) (foreign, error) {
	if rest, ok := strings.CutPrefix(s, "argon2$argon2id$"); ok {
		return newArgon2("django-argon2id", rest, argon2.IDKey)
	}
	if rest, ok := strings.CutPrefix(s, "argon2$argon2i$"); ok {
		return newArgon2("django-argon2i", rest, argon2.Key)
	}
	return foreign{}, malformed("django-argon2: unknown variant")
}

// newArgon2 takes what follows $argon2id$ or its like in a PHC string.
func newArgon2(format, rest string, key func(password, salt []byte, time, memory uint32, threads uint8, n uint32) []byte,
) (foreign, error) {
	r, err := parseArgon2id("$argon2id$" + rest)
	if err != nil {
		return foreign{}, err
	}
	p := r.argon2
	return foreign{
		format: format,
		sum:    r.sum,
		memory: int64(p.MemoryKiB) << 10,
		derive: func(password []byte) []byte {
			return key(password, r.salt, p.Time, p.MemoryKiB, p.Threads, uint32(len(r.sum)))
		},
		details: argon2Details(r),
		guesses: argon2Guesses(p),
	}, nil
}
