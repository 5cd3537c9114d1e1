package password

import (
	"fmt"

	//lint:ignore SA1019 bcrypt is made of Blowfish.
	"golang.org/x/crypto/blowfish"
)

func checkBcryptCost(cost int) error {
	if cost < MinBcryptCost || cost > MaxBcryptCost {
		return fmt.Errorf("%w: bcrypt cost %d is not within %d to %d", ErrParameters, cost, MinBcryptCost, MaxBcryptCost)
	}
	return nil
}

// A bcryptKey is what of a password enters the key schedule, which takes 18
// words of 32 bits from the password and a NUL, over and over. Written out, it
// is a key of exactly 72 bytes that the schedule goes through once.
type bcryptKey [bcryptBytes]byte

// expandBcryptKey writes out the key of $2a$, $2b$ and $2y$. What follows the
// 72nd byte of the password does not enter.
func expandBcryptKey(password []byte) (key bcryptKey) {
	next := cycle(password)
	for i := range key {
		key[i] = next()
	}
	return key
}

// cycle returns a function that returns the bytes of password followed by a NUL,
// and then again.
func cycle(password []byte) func() byte {
	i := 0
	return func() byte {
		if i == len(password) {
			i = 0
			return 0
		}
		i++
		return password[i-1]
	}
}

// bcrypt computes the sum of the key: the EksBlowfish setup with 2^cost rounds,
// then 64 encryptions of each block of the text. It wipes the key.
func bcrypt(key *bcryptKey, salt []byte, cost int) []byte {
	defer clear(key[:])
	c, err := blowfish.NewSaltedCipher(key[:], salt)
	if err != nil { // the key is empty
		panic("password: " + err.Error())
	}
	defer func() { *c = blowfish.Cipher{} }()
	for range uint64(1) << cost {
		blowfish.ExpandKey(key[:], c)
		blowfish.ExpandKey(salt, c)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += blowfish.BlockSize {
		block := text[i : i+blowfish.BlockSize]
		for range 64 {
			c.Encrypt(block, block)
		}
	}
	return text[:bcryptSumBytes]
}
