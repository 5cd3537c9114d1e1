package password

import (
	"bytes"
	"context"
	"crypto/subtle"
	"strings"

	"github.com/countersign-auth/countersign/password/internal/eks"
)

// Verify reports whether password is the one that encoded, a result of
// [Hasher.Hash] of any Hasher, was made of. A password that could not have been
// hashed (empty, invalid UTF-8, NUL, too long) is not the one. Neither is
// anything over 72 bytes for a bcrypt string.
//
// The error is technical and tells nothing of the password: [ErrFormat] or
// [ErrParameters] about encoded, found before any work; an [OverloadError] if
// the work could not begin in time; or that of ctx if it ended before the work
// was done. No hash begins after ctx has ended.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (bool, error) {
	return h.verify(ctx, encoded, password, false)
}

// VerifyImported is [Hasher.Verify] for a string that other software made, in
// any of the formats that [Inspect] calls verifiable: bcrypt, argon2, scrypt,
// PBKDF2, those of Django, Werkzeug, WordPress and LDAP, and crypt(3)'s. It takes the bytes of password as they are, without normalization, valid UTF-8
// or not; for bcrypt it cuts them to 72 bytes, as Node's bcrypt and most others
// did when they made the string. So a password that merely begins with the
// right 72 bytes matches, as it did there: renew such a string at the first
// login with Hash of the whole password, whatever NeedsRehash says. Where Hash
// refuses the password, which is then not UTF-8, the string has to stay.
//
// A password that is empty, contains NUL or exceeds [MaxBytes] never matches.
//
// Two kinds of $2a$ string match nothing: those that crypt_blowfish and PHP made
// of certain passwords with a byte 0xff (which UTF-8 never has), as a protection
// against collisions with $2x$; and those that Node's bcrypt makes of 255 to 326
// bytes, its length being counted in eight bits there.
func (h *Hasher) VerifyImported(ctx context.Context, encoded, password string) (bool, error) {
	return h.verify(ctx, encoded, password, true)
}

// VerifyAbsent spends on password what Verify would, for when there is no
// string to verify it against: the user is unknown, or has no password. There
// is no result, as nothing matches. The error is an [OverloadError], or that of
// ctx if it ended before the work was done.
func (h *Hasher) VerifyAbsent(ctx context.Context, password string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g, _ := newGuess(password)
	defer g.wipe()
	_, err := h.run(ctx, h.plan(record{}, g, false), g.normal)
	return err
}

func (h *Hasher) verify(ctx context.Context, encoded, password string, imported bool) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	g, reason := newGuess(password)
	defer g.wipe()
	if !imported {
		r, err := parse(encoded)
		if err != nil {
			return false, err
		}
		ok, err := h.run(ctx, h.plan(r, g, false), g.normal)
		return ok && reason == nil, err
	}
	steps, err := h.planImported(encoded, g)
	if err != nil {
		return false, err
	}
	raw := []byte(password)
	defer clear(raw)
	ok, err := h.run(ctx, steps, raw)
	return ok && password != "" && strings.IndexByte(password, 0) < 0, err
}

// A step is one hash operation of an attempt. The attempt succeeds if a real
// step does.
type step struct {
	record record
	real   bool
	// prehash, if set, makes what stands for the password.
	prehash func(password []byte) []byte
	// foreign, if set, is what is computed in place of the record.
	foreign *foreign
}

// planImported is plan for a string of other software.
func (h *Hasher) planImported(encoded string, g guess) ([]step, error) {
	if isOwn(encoded) {
		r, err := parse(encoded)
		if err != nil {
			return nil, err
		}
		return h.plan(r, g, true), nil
	}
	f, err := parseForeign(encoded)
	if err != nil || g.tooLong() {
		return nil, err
	}
	return h.foreignSteps(f, g), nil
}

// foreignSteps returns the operations for a string that is neither bcrypt nor
// argon2id. Before its own come those for an unknown user, because many of
// these hashes take next to no time, which would show who has one.
func (h *Hasher) foreignSteps(f foreign, g guess) []step {
	if f.inner == "" {
		return append(h.plan(record{}, g, false), step{foreign: &f, real: true})
	}
	r, err := parseBcrypt(f.inner)
	if err != nil { // parseForeign has parsed it
		panic("password: " + err.Error())
	}
	return append([]step{{record: r, prehash: f.prehash, real: true}}, h.topUp(r.cost)...)
}

// plan returns the operations for a guess at the stored record, whose algorithm
// is empty if there is none. The package documentation says what they amount to
// and why; they depend on the record no more than is said there.
func (h *Hasher) plan(r record, g guess, imported bool) []step {
	if g.tooLong() {
		return nil
	}
	// Whether the stored record could match the guess at all.
	byBcrypt := r.algorithm == Bcrypt && (imported || !g.long())
	byArgon2id := r.algorithm == Argon2id && (g.long() || !r.long || imported)

	var steps []step
	switch {
	case byBcrypt:
		steps = append(steps, step{record: r, real: true})
		steps = append(steps, h.topUp(r.cost)...)
	case h.algorithm == Bcrypt && (g.long() || !byArgon2id):
		steps = append(steps, step{record: h.dummyBcrypt})
	}
	switch {
	case byArgon2id:
		steps = append(steps, step{record: r, real: true})
	case g.long() && h.algorithm == Bcrypt, h.algorithm == Argon2id && !byBcrypt:
		steps = append(steps, step{record: h.dummyArgon2id})
	}
	return steps
}

// topUp returns what is lacking from a bcrypt hash of the given cost to the
// configured one, of which the rounds are doubled by each step:
// 2^c + (2^c + 2^(c+1) + … + 2^(n-1)) = 2^n.
func (h *Hasher) topUp(cost int) []step {
	if h.algorithm != Bcrypt {
		return nil
	}
	var steps []step
	for ; cost < h.cost; cost++ {
		r := h.dummyBcrypt
		r.cost = cost
		steps = append(steps, step{record: r})
	}
	return steps
}

// run computes the steps one after the other. It leaves out none when one has matched: a right password that is refused
// for another reason should take as long as a wrong one.
func (h *Hasher) run(ctx context.Context, steps []step, password []byte) (bool, error) {
	if len(steps) == 0 {
		return false, nil
	}
	matched := 0
	t := &task{claim: h.claim}
	for _, s := range steps {
		want := s.record.sum
		if s.foreign != nil {
			want = s.foreign.sum
		}
		t.add(h.work(s, password, func(sum []byte) {
			if equal := subtle.ConstantTimeCompare(sum, want); s.real {
				matched |= equal
			}
		}))
	}
	if err := h.pool.run(ctx, t); err != nil {
		return false, err
	}
	return matched == 1, nil
}

// An operation is what [Hasher.observe] is told of a hash.
type operation struct {
	Algorithm Algorithm
	Cost      int          // bcrypt
	Argon2    Argon2Params // argon2id
	Real      bool         // the stored hash, not one that is there for equal work
}

// work returns the operation of a step on the password. Finish gets its sum, of the length of the sum that is there.
func (h *Hasher) work(s step, password []byte, finish func(sum []byte)) work {
	w := work{finish: finish, begin: func() {
		if h.observe != nil {
			h.observe(s.operation())
		}
	}}
	r := s.record
	if r.algorithm == Bcrypt && s.foreign == nil {
		w.hash, w.nominal = bcryptHash(s, password), bcryptNominal(r.cost)
		return w
	}
	w.key = bytes.Clone(password)
	if f := s.foreign; f != nil {
		w.derive, w.memory, w.nominal, w.guessed = f.derive, f.memory, nominalForeign, true
		return w
	}
	w.derive = func(key []byte) []byte { return argon2id(key, r.salt, r.argon2, len(r.sum)) }
	w.memory = int64(r.argon2.MemoryKiB) << 10
	w.nominal = argon2Nominal(r.argon2)
	return w
}

func bcryptHash(s step, password []byte) *eks.Hash {
	if s.prehash != nil {
		password = s.prehash(password)
		defer clear(password)
	}
	key := expandBcryptKey(password)
	if s.record.variant == 'x' {
		key = expandBcryptKey2x(password)
	}
	defer clear(key[:])
	return eks.NewHash((*[bcryptBytes]byte)(&key), (*[bcryptSaltBytes]byte)(s.record.salt), s.record.cost)
}

func (s step) operation() operation {
	if s.foreign != nil {
		return operation{Algorithm: Algorithm(s.foreign.format), Real: s.real}
	}
	return operation{s.record.algorithm, s.record.cost, s.record.argon2, s.real}
}
